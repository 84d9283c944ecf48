"""The file of a SQLite database, and whether it still is the one that was opened."""

from pathlib import Path

from mlmd_schemas.errors import Unavailable

_MEND = "Nothing was written. Put it back, or restart the server, which then serves what is there."


class SqliteFile:
    """A database's file by its path, whatever the working directory becomes.

    A connection goes on writing to a file that was deleted, or replaced by another one, and SQLite does not notice:
    what it writes is gone, or it mixes the log of one file into the other
    (https://sqlite.org/howtocorrupt.html, "Unlinking or renaming a database file while in use"). So whoever begins a
    transaction looks first whether the path still leads to the file that the first connection opened.
    """

    def __init__(self, path: Path) -> None:
        """Take the path; a relative one is meant from where the process is now."""
        self.path = path.absolute()
        self._identity: tuple[int, int] | None = None
        self._is_filled = False

    def opened(self) -> None:
        """Take what the path leads to for the file of the database; raises Unavailable when another was before."""
        if self._identity is None:
            now = self.path.stat()
            self._identity = now.st_dev, now.st_ino
        self.check()

    def check(self) -> None:
        """Raise Unavailable when the file was deleted, moved, replaced or emptied since it was opened."""
        if self._identity is None:
            return
        try:
            now = self.path.stat()
        except (FileNotFoundError, NotADirectoryError):
            raise Unavailable(f"The database file was deleted or moved away. {_MEND}") from None
        except OSError:  # whether it is there cannot be seen; SQLite says what is wrong, if it is
            return
        if (now.st_dev, now.st_ino) != self._identity:
            raise Unavailable(f"The database file was replaced by another one. {_MEND}")
        if not now.st_size and self._is_filled:
            raise Unavailable("The database file was emptied. Restore it from a copy and restart the server.")
        self._is_filled = self._is_filled or now.st_size > 0
