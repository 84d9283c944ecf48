"""The command `mlmd`: a store from the terminal."""

import sys

WRONG_USE = 2
_NEEDED = ("click", "rich")


def main() -> None:
    """Run the command; the exit status says what happened, see `mlmd_client.command_line.statuses`."""
    try:
        from mlmd_client.command_line.commands import mlmd
    except ModuleNotFoundError as error:
        if (error.name or "").partition(".")[0] not in _NEEDED:
            raise
        sys.stderr.write(f"mlmd: {error.name} is not installed; run: pip install 'mlmd-server[cli]'\n")
        sys.exit(WRONG_USE)
    except KeyboardInterrupt:  # as later, when click says so
        sys.stderr.write("Aborted!\n")
        sys.exit(1)
    mlmd(prog_name="mlmd")
