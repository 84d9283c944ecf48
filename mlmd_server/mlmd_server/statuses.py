"""Exit statuses of the server's commands, for scripts."""

FAILED = 1
"""Something could not be done or is forbidden, or files are missing or changed."""
WRONG_USE = 2
"""The command line cannot be followed, or an extra is missing."""
INTERRUPTED = 130
"""128 and SIGINT's number: what a loop of a shell script ends at, which goes on after any other."""
