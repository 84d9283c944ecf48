"""The command `mlmd`: a store from the terminal."""

import io
import os
import sys

FAILED, WRONG_USE = 1, 2
INTERRUPTED = 130
"""128 and SIGINT's number: what a loop of a shell script ends at, which goes on after any other."""
COMPLETION = "_MLMD_COMPLETE"
"""The variable by which a shell asks what completes a line."""
_NEEDED = ("click", "rich")


def main() -> None:
    """Run the command; the exit status says what happened, see `mlmd_client.command_line.statuses`."""
    for name in ("stdout", "stderr"):
        if getattr(sys, name) is None:  # closed by whoever started it
            setattr(sys, name, open(os.devnull, "w"))  # noqa: SIM115
    if isinstance(sys.stdout, io.TextIOWrapper) and sys.stdout.errors == "strict":
        sys.stdout.reconfigure(errors="backslashreplace")  # what a locale has no letters for, rather than nothing
    try:
        from mlmd_client.command_line.commands import mlmd

        if COMPLETION in os.environ:  # which is of the shells' that are told of there
            import mlmd_client.command_line.completion  # noqa: F401
        mlmd(prog_name="mlmd")
    except ModuleNotFoundError as error:
        package = (error.name or "").partition(".")[0]
        if package not in _NEEDED:
            raise
        sys.stderr.write(f"mlmd: {package} is not installed; run: pip install 'mlmd-server[cli]'\n")
        sys.exit(WRONG_USE)
    except OSError as error:  # where no command says so: the help on a full disk
        from mlmd_client.command_line.wording import of_system

        sys.stderr.write(f"mlmd: {of_system(error)}\n")
        sys.exit(FAILED)
    except KeyboardInterrupt:  # as later, when a command says so
        sys.stderr.write("mlmd: interrupted\n")
        sys.exit(INTERRUPTED)
