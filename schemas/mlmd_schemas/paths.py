"""What a file inside an artifact may be called, by those who send files and by those who keep them.

A path is kept as it was given: it is the end of the object's key and of the file's name on disk, so that others find
the file under its own name. What some store or some reader would take for something else is refused.
"""

import re
import unicodedata
from collections.abc import Iterable

from mlmd_schemas.errors import InvalidArgument
from mlmd_schemas.sorted_runs import in_order

LONGEST_SEGMENT_BYTES = 255
"""What file systems take as a name."""
LONGEST_PATH_BYTES = 700
"""Leaves room for the artifact's own prefix within S3's 1,024 bytes."""
_PLAIN = re.compile(r"(?:(?!\.\.?(?:/|\Z))[ -.0-\[\]-~]{1,255}(?:/(?!\Z)|\Z))+")
"""What nothing is wrong with, and nearly every path is: segments of ASCII without a backslash, none `.` or `..`."""


def check_path(path: str, field: str = "path") -> str:
    """Return the path of a file inside an artifact; raises InvalidArgument saying what is wrong with it.

    A path is relative, of segments separated by `/`, none of them empty, `.` or `..`, each at most 255 bytes of UTF-8
    and all together at most 700; no control characters, no backslash, nothing that is no character.
    """
    return checked_path(path, field, LONGEST_PATH_BYTES)


def checked_path(text: str, field: str, longest: int) -> str:
    """Return a path of at most `longest` bytes of UTF-8; raises InvalidArgument that names the field."""
    if len(text) <= longest and _PLAIN.fullmatch(text):
        return text
    shown = f"{field}: {text[:60]!r}{'…' if len(text) > 60 else ''}"
    if not text:
        raise InvalidArgument(f"{field}: empty; a file needs a name.")
    if text.startswith("/"):
        raise InvalidArgument(f"{shown} is absolute; give it relative to the artifact.")
    _check_characters(text, shown)
    size = len(text.encode())
    if size > longest:
        raise InvalidArgument(f"{shown} has {size} bytes of UTF-8, and at most {longest} are kept; shorten it.")
    for segment in text.split("/"):
        if segment in ("", ".", ".."):
            what = f"a segment {segment!r}" if segment else "an empty segment"
            raise InvalidArgument(f"{shown} has {what}; give the path as it is without it.")
        if len(segment.encode()) > LONGEST_SEGMENT_BYTES:
            raise InvalidArgument(
                f"{shown} has a segment of more than {LONGEST_SEGMENT_BYTES} bytes of UTF-8, which file systems do not "
                "take; shorten it."
            )
    return text


def _check_characters(text: str, shown: str) -> None:
    if text.isascii() and text.isprintable() and "\\" not in text:
        return
    for character in text:
        code = ord(character)
        if character == "\\":
            raise InvalidArgument(f"{shown} has a backslash, which some systems take for a separator; use '/'.")
        if unicodedata.category(character) in ("Cc", "Cs") or code & 0xFFFE == 0xFFFE or 0xFDD0 <= code <= 0xFDEF:
            raise InvalidArgument(
                f"{shown} has the character U+{code:04X}, which not every store can keep in a name; rename the file."
            )


def check_paths(paths: Iterable[str]) -> None:
    """Check the paths of one artifact, each and together; raises InvalidArgument.

    Refused are a path twice, two that differ only in Unicode normalisation (some systems take them for one), and a
    file that is also the folder of another.
    """
    folded_before = path_before = ""
    order = PathOrder()
    for key in in_order(map(_folded_key, paths)):
        folded, path = key.decode().split("\0")
        if folded == folded_before:
            why = "is there twice" if path == path_before else "differs from another only in its Unicode normalisation"
            raise InvalidArgument(f"path: {path[:60]!r} {why}; keep one of them.")
        order.add(folded)
        folded_before, path_before = folded, path


def _folded_key(path: str) -> bytes:
    """Return what sorts paths by what systems take for one; raises InvalidArgument for one that no file can have."""
    check_path(path)
    return f"{unicodedata.normalize('NFC', path)}\0{path}".encode()


class PathOrder:
    """The same check for paths that come by their bytes, and in no memory.

    Whether paths differ in normalisation only cannot be found out so; `is_plain` says whether that can be at all.
    """

    def __init__(self) -> None:
        self.is_plain = True
        self._above: list[str] = []

    def add(self, path: str) -> None:
        """Take the next path; raises InvalidArgument when a file is the folder of others."""
        self.is_plain = self.is_plain and unicodedata.is_normalized("NFC", path)
        while self._above and not path.startswith(self._above[-1]):
            self._above.pop()
        for file in self._above:  # all that lies between a file and those below it begins with its path
            if path[len(file)] == "/":
                raise InvalidArgument(f"path: {file[:60]!r} is a file and the folder of others; rename one of them.")
        self._above.append(path)


def are_in_order(paths: Iterable[str]) -> bool:
    """Check the paths of one artifact as `check_paths` does, in no memory, as long as they come by their bytes.

    False says that they do not, or may differ in normalisation, and that nothing is known of them together yet.
    """
    order, before = PathOrder(), ""
    for path in paths:
        check_path(path)
        if path.encode() <= before.encode():
            return False
        order.add(path)
        before = path
    return order.is_plain
