"""Files of settings that people write: text or TOML, and what is said of one that cannot be read.

Some of them hold secrets, so nothing of a file's content gets into an error: its place does, by line and column.
"""

import tomllib
from pathlib import Path
from typing import Any

from mlmd_schemas.errors import InvalidArgument
from mlmd_schemas.shown import shown

LARGEST_BYTES = 16 << 20
"""More than any file of settings has: some 100,000 tokens."""


def read_bytes(path: Path, option: str) -> bytes:
    """Return a file's content; raises InvalidArgument naming the option that asked for it."""
    start = _start(path, option)
    try:
        with path.open("rb") as file:
            content = file.read(LARGEST_BYTES + 1)
    except OSError as error:
        raise InvalidArgument(f"{start}: {error.strerror or 'the system refuses it'}.") from None
    except ValueError:
        raise InvalidArgument(f"{start}: no path has a NUL in it.") from None
    if len(content) > LARGEST_BYTES:
        raise InvalidArgument(f"{start}: it has more than {LARGEST_BYTES} bytes; is it the right file?")
    return content


def read_text(path: Path, option: str) -> str:
    """Return a file's text without a byte order mark; raises InvalidArgument as `read_bytes` does."""
    content = read_bytes(path, option)
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        raise InvalidArgument(f"{_start(path, option)}: line {line} is not UTF-8; save it as UTF-8.") from None


def read_toml(path: Path, option: str) -> dict[str, Any]:
    """Return the content of a TOML file; raises InvalidArgument naming the option that asked for it."""
    text = read_text(path, option)
    try:
        return tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        reason = str(error)
    except RecursionError:
        reason = "it is nested too deeply"
    raise InvalidArgument(f"{_start(path, option)}: it is no TOML: {reason}.")


def _start(path: Path, option: str) -> str:
    return f"{option}: the file {shown(str(path))} cannot be read"
