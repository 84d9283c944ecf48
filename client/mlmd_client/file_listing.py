"""The files of a folder as an artifact has them, found before anything is sent."""

import errno
import json
import os
import stat
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from mlmd_schemas.errors import InvalidArgument
from mlmd_schemas.paths import are_in_order, check_paths
from mlmd_schemas.sorted_runs import in_order

from mlmd_client.local_paths import elsewhere, uri_in
from mlmd_client.packed_sequence import Packed
from mlmd_client.transfer_errors import ChangedFile, UnfitFiles

_NAMES = ("utf-8", "surrogateescape")
_KINDS = {
    stat.S_IFSOCK: "a socket",
    stat.S_IFIFO: "a pipe",
    stat.S_IFCHR: "a device",
    stat.S_IFBLK: "a device",
}


@dataclass(frozen=True, slots=True)
class LocalFile:
    """A file to upload: its path in the artifact, and what it was when it was found."""

    path: str
    size_bytes: int
    modified_ns: int
    inode: int

    @property
    def offset(self) -> int:
        """Where it begins in what is on the disk."""
        return 0

    def check(self, state: os.stat_result) -> None:
        """Raise ChangedFile when the file is no longer the one that was found."""
        if (state.st_size, state.st_mtime_ns, state.st_ino) != (self.size_bytes, self.modified_ns, self.inode):
            raise ChangedFile.saying(
                f"The file {self.path!r} changed while it was uploaded; upload again when nobody writes to it."
            )


class Files(Protocol):
    """Files that can be counted, and walked over again and again."""

    def __len__(self) -> int: ...

    def __iter__(self) -> Iterator[LocalFile]: ...


@dataclass(frozen=True, slots=True)
class Listing:
    """The files below a folder, by the bytes of their paths; or one file, under its name."""

    root: Path
    files: Files

    @property
    def size_bytes(self) -> int:
        """How large they are together."""
        return sum(file.size_bytes for file in self.files)

    def location(self, file: LocalFile) -> str:
        """Return where a file is on this machine."""
        return os.path.join(self.root, *file.path.split("/"))


def list_files(path: Path) -> Listing:
    """Return the files below a folder, or the one that `path` is.

    Links are followed. Raises UnfitFiles for a link that leads back into its own folder or nowhere, for what is neither
    file nor folder, for a name that is not UTF-8 or that no store takes, and for a folder without files.
    """
    if uri := uri_in(path):
        raise UnfitFiles.saying(f"path: {elsewhere(uri)}")
    try:
        state = path.stat()
    except OSError as error:
        raise UnfitFiles.saying(f"path: {str(path)!r} cannot be read ({error.strerror}).") from error
    if not stat.S_ISDIR(state.st_mode):
        absolute = Path(os.path.abspath(path))
        return Listing(absolute.parent, _named(_packed([_file(absolute.name, state, str(path))])))
    found = _packed(_walk(str(path), "", ((state.st_dev, state.st_ino),)))
    if not len(found):
        raise UnfitFiles.saying(f"path: the folder {str(path)!r} has no files; an artifact has at least one.")
    return Listing(Path(os.path.abspath(path)), _named(found))


def _packed(files: Iterable[LocalFile]) -> Packed[LocalFile]:
    return Packed(files, _pack, _unpack)


def _pack(files: Sequence[LocalFile]) -> bytes:
    return json.dumps([(file.path, file.size_bytes, file.modified_ns, file.inode) for file in files]).encode()


def _unpack(packed: bytes) -> Iterator[LocalFile]:
    return (LocalFile(*fields) for fields in json.loads(packed))


def _named(files: Files) -> Files:
    """Return the files when the server will take their paths: else it would refuse one after others were sent."""
    try:
        if not are_in_order(file.path for file in files):
            check_paths(file.path for file in files)
    except InvalidArgument as error:
        raise UnfitFiles.saying(error.message) from error
    return files


def _walk(folder: str, prefix: str, above: tuple[tuple[int, int], ...]) -> Iterator[LocalFile]:
    """Yield the files of a folder by the bytes of their paths; `above` are the folders that lead to it."""
    for name in _names(folder, prefix):
        path = prefix + name
        location = os.path.join(folder, name.removesuffix("/"))
        state = _state(location, path)
        if stat.S_ISDIR(state.st_mode) != name.endswith("/"):
            raise ChangedFile.gone(path.removesuffix("/"))
        if not name.endswith("/"):
            yield _file(path, state, location)
            continue
        identity = (state.st_dev, state.st_ino)
        if identity in above:
            raise UnfitFiles.saying(
                f"path: {location!r} is a link to a folder that it is in, so that its files would have no end; "
                "remove the link."
            )
        yield from _walk(location, path, (*above, identity))


def _names(folder: str, prefix: str) -> Iterator[str]:
    """Yield what is in a folder, folders with a slash: in this order all paths come by their bytes."""
    try:
        with os.scandir(folder) as entries:
            names = (f"{entry.name}/" if _is_folder(entry) else entry.name for entry in entries)
            for name in in_order(name.encode(*_NAMES) for name in names):
                yield name.decode(*_NAMES)
    except FileNotFoundError as error:
        raise ChangedFile.gone(prefix.removesuffix("/") or folder) from error
    except OSError as error:
        raise UnfitFiles.saying(f"path: the folder {folder!r} cannot be read ({error.strerror}).") from error


def _is_folder(entry: "os.DirEntry[str]") -> bool:
    try:
        return entry.is_dir()
    except OSError:  # a link that leads to itself, say; what it is about is told when its turn comes
        return False


def _state(location: str, path: str) -> os.stat_result:
    """Return the state of what is in a folder, links followed."""
    try:
        return os.stat(location)
    except OSError as error:
        if isinstance(error, FileNotFoundError) and not os.path.lexists(location):
            raise ChangedFile.gone(path.removesuffix("/")) from error
        is_link = os.path.islink(location)
        what = "is a link that leads nowhere" if is_link else f"cannot be read ({error.strerror})"
        if is_link and error.errno not in (errno.ENOENT, errno.ENOTDIR):
            what = "is a link that leads to itself"
        raise UnfitFiles.saying(f"path: {location!r} {what}; remove it or leave it out.") from error


def _file(path: str, state: os.stat_result, location: str) -> LocalFile:
    if not stat.S_ISREG(state.st_mode):
        kind = _KINDS.get(stat.S_IFMT(state.st_mode), "neither file nor folder")
        raise UnfitFiles.saying(f"path: {location!r} is {kind}, which has no bytes to keep; remove it or leave it out.")
    try:
        path.encode()
    except UnicodeEncodeError:
        raise UnfitFiles.saying(f"path: the name {location!r} is not UTF-8; rename the file.") from None
    return LocalFile(path, state.st_size, state.st_mtime_ns, state.st_ino)
