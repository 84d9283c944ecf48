"""ZIP files of very many entries, written and read in little memory.

`zipfile` holds what it knows of each entry, 700 bytes, twice. What is written here is set aside until the end, and of
what is read the files of artifacts are, in which nobody looks by name.
"""

import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from mlmd_schemas.set_aside import SetAside

FILES = "files/"
"""What the names of the files of artifacts begin with."""
_FIELDS = (
    "compress_type", "extra", "create_system", "create_version", "extract_version", "flag_bits", "internal_attr",
    "external_attr", "header_offset", "CRC", "compress_size", "file_size",
)  # fmt: skip


class _Entries(list[zipfile.ZipInfo]):
    """What is said of the entries of an archive, in a list's clothes: what `zipfile` does with one while it writes."""

    def __init__(self) -> None:
        self._kept = SetAside[tuple[Any, ...]]()
        self._recent = SetAside[tuple[Any, ...]]()

    def append(self, entry: zipfile.ZipInfo, /) -> None:
        """Set an entry aside."""
        facts = (entry.filename, entry.date_time, *(getattr(entry, name) for name in _FIELDS))
        self._recent.append(facts)

    def settle(self, *, keep: bool = True) -> None:
        """Keep what was appended since this was done last, or forget it."""
        if keep:
            for facts in self._recent:
                self._kept.append(facts)
        self._recent.close()

    def __len__(self) -> int:
        """Return how many there are."""
        return len(self._kept) + len(self._recent)

    def __iter__(self) -> Iterator[zipfile.ZipInfo]:
        """Yield every entry."""
        for part in (self._kept, self._recent):
            for name, date_time, *facts in part:
                entry = zipfile.ZipInfo(name, date_time)
                for field, value in zip(_FIELDS, facts, strict=True):
                    setattr(entry, field, value)
                yield entry

    def close(self) -> None:
        """Forget all of them."""
        self._kept.close()
        self._recent.close()


class _NoNames(dict[str, zipfile.ZipInfo]):
    """By the names of what is written nobody looks for it."""

    def __setitem__(self, name: str, entry: zipfile.ZipInfo, /) -> None:
        """Forget it."""


class _Instead(zipfile.ZipFile):
    """An archive that has a list and names of its own instead of those that `zipfile` begins with."""

    _listed: list[zipfile.ZipInfo]
    _named: dict[str, zipfile.ZipInfo]

    @property
    def filelist(self) -> list[zipfile.ZipInfo]:
        """What is in it."""
        return self._listed

    @filelist.setter
    def filelist(self, given: list[zipfile.ZipInfo]) -> None:
        pass

    @property
    def NameToInfo(self) -> dict[str, zipfile.ZipInfo]:
        """What is in it by name."""
        return self._named

    @NameToInfo.setter
    def NameToInfo(self, given: dict[str, zipfile.ZipInfo]) -> None:
        pass


class LargeZipWriter(_Instead):
    """An archive that is written; no two entries may have the same name."""

    def __init__(self, path: Path) -> None:
        """Begin an archive whose entries are compressed unless they say otherwise."""
        self._listed = self._entries = _Entries()
        self._named = _NoNames()
        super().__init__(path, "w", zipfile.ZIP_DEFLATED, compresslevel=6)

    def settle(self, *, keep: bool = True) -> None:
        """Keep the entries since this was done last, or name none of them in the archive."""
        self._entries.settle(keep=keep)

    def close(self) -> None:
        """Write what is in it, and close it."""
        try:
            super().close()
        finally:
            self._entries.close()


class _Others(list[zipfile.ZipInfo]):
    """The entries of an archive that are no files of artifacts; those are set aside."""

    def __init__(self, files: SetAside[tuple[Any, ...]]) -> None:
        self._files = files

    def append(self, entry: zipfile.ZipInfo, /) -> None:
        """Take an entry."""
        if entry.filename.startswith(FILES):
            facts = (entry.filename, entry.file_size, entry.header_offset, entry.compress_type, entry.flag_bits)
            self._files.append(facts)
        else:
            super().append(entry)


class _OtherNames(dict[str, zipfile.ZipInfo]):
    def __setitem__(self, name: str, entry: zipfile.ZipInfo, /) -> None:
        if not name.startswith(FILES):
            super().__setitem__(name, entry)


class LargeZipReader(_Instead):
    """An archive that is read; what names and lists it has are of what is no file of an artifact."""

    def __init__(self, path: Path) -> None:
        """Open it; raises what `zipfile.ZipFile` does."""
        self.files = SetAside[tuple[str, int, int, int, int]]()
        """Of each file name, size, where its header is, how it is compressed, flags; until this is closed."""
        self._listed, self._named = _Others(self.files), _OtherNames()
        try:
            super().__init__(path)
        except BaseException:
            self.files.close()
            raise

    def close(self) -> None:
        """Close it."""
        super().close()
        self.files.close()
