"""Files of versions: how they get into the store, and where they are on this machine."""

import contextlib
import hashlib
import json
import os
import stat
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any, TypedDict

from mlmd_schemas.pb import metadata_store_pb2 as pb
from mlmd_schemas.pb.v1 import artifacts_pb2 as v1
from mlmd_schemas.sorted_runs import in_order

from mlmd_client.calls import CallError, Transport
from mlmd_client.download import download
from mlmd_client.failures import failure_of, not_found
from mlmd_client.progress_bar import ProgressBar
from mlmd_client.unfinished_files import is_unfinished
from mlmd_client.upload import upload

_MARK = ".whole.json"
_IN_FOLDER = b"g"
_NAMES = ("utf-8", "surrogateescape")


def send_files(
    transport: Transport,
    artifact: pb.Artifact,
    name: str,
    path: Path,
    *,
    reuse: bool,
    made_by: v1.MadeBy | None = None,
    resumable: bool = True,
) -> int:
    """Upload a file or folder as the next version of a name, with a bar for who looks; return the artifact's id.

    Raises Refused for files that cannot be kept, ChangedFile for one that changed or vanished, Taken for a name that is
    somebody else's, Unreachable. What fails leaves no version and no artifact that is LIVE.
    """
    bar = ProgressBar(name)
    options: dict[str, Any] = {"reuse": reuse, "made_by": made_by, "resumable": resumable, "progress": bar}
    try:
        return upload(transport, artifact, path, collection=name, **options).artifact_id
    except CallError as error:
        raise failure_of(error) from error
    finally:
        bar.end()


def cache_folder() -> Path:
    """Return where fetched files are kept: `MLMD_CACHE`, or the user's folder for such things.

    >>> cache_folder().is_absolute()
    True
    """
    chosen = os.environ.get("MLMD_CACHE")
    if chosen:
        return Path(chosen).absolute()
    base = os.environ.get("XDG_CACHE_HOME")
    try:
        return (Path(base) if base else Path.home() / ".cache").absolute() / "mlmd"
    except RuntimeError:  # nobody's home
        return Path(tempfile.gettempdir()) / "mlmd-cache"


def fetched(
    transport: Transport, artifact_id: int, label: str, folder: Path, *, marked: bool, overwrite: bool = False
) -> Path:
    """Fetch the files of an artifact into a folder; return the one file, or the folder of several.

    With `marked` a folder whose files are as this function left them is taken as it is; otherwise each file's digest is
    looked at, and what is there already is not fetched again. A marked folder is ours, so that its files are mended; of
    another none is replaced that is nowhere else, unless told to `overwrite`. Raises NotFound when the artifact has no
    files, Refused for files that are in the way.
    """
    mark = folder.parent / f"{folder.name}{_MARK}"
    told = _told(mark) if marked else None
    if told and told["files"] and told == _state(folder):
        return _one_or_all(folder, told["only"])
    bar = ProgressBar(label)
    try:
        done = download(transport, artifact_id, folder, overwrite=overwrite or marked, progress=bar)
        if not done.file_count:
            raise not_found(f"{label}: artifact {artifact_id} has no files in this store.")
    except CallError as error:
        if marked:
            error.message = _of_cache(error.message)
        raise failure_of(error) from error
    finally:
        bar.end()
    if marked:
        with contextlib.suppress(OSError):  # on a full disk each file's digest is looked at the next time
            mark.write_text(json.dumps(_state(folder)))
    return _one_or_all(folder, done.only_path)


def _of_cache(message: str) -> str:
    """Return an error about a folder that nobody chose in words of what chooses it.

    >>> _of_cache("target: '/root/.cache/mlmd/7' cannot be written (Read-only file system).")
    "MLMD_CACHE: '/root/.cache/mlmd/7' cannot be written (Read-only file system); let it name a folder that can be."
    """
    begins, ends = "target: ", " cannot be written ("
    if not message.startswith(begins) or ends not in message:
        return message
    return f"MLMD_CACHE: {message.removeprefix(begins).removesuffix('.')}; let it name a folder that can be."


class _State(TypedDict):
    """What a folder holds: how many files, the path when it is a single one, a digest of paths, sizes and times."""

    files: int
    only: str
    digest: str


def _state(folder: Path) -> _State:
    count, path, digest = 0, "", hashlib.sha256()
    for found in _below(str(folder), ""):
        try:
            told = os.stat(os.path.join(folder, found))
        except OSError:  # a link that leads nowhere, or what vanished just now
            continue
        if not stat.S_ISREG(told.st_mode):
            continue
        path = found
        digest.update(f"{path}\0{told.st_size}\0{told.st_mtime_ns}\n".encode(*_NAMES))
        count += 1
    return {"files": count, "only": path if count == 1 else "", "digest": digest.hexdigest()}


def _below(folder: str, prefix: str) -> Iterator[str]:
    """Yield the paths of what is in a folder, first what is no folder, then what is in its folders, each by name."""
    for key in in_order(_keys(folder)):
        name = key[1:].decode(*_NAMES)
        if key.startswith(_IN_FOLDER):
            yield from _below(os.path.join(folder, name), f"{prefix}{name}/")
        else:
            yield prefix + name


def _keys(folder: str) -> Iterator[bytes]:
    with contextlib.suppress(OSError), os.scandir(folder) as entries:
        for entry in entries:
            is_folder = entry.is_dir(follow_symlinks=False)
            if is_folder or not is_unfinished(entry.name):  # others may be fetching the same at this moment
                yield (_IN_FOLDER if is_folder else b"f") + entry.name.encode(*_NAMES)


def _told(mark: Path) -> _State | None:
    """Return what a folder was left as; None without a mark, or with half of one or another version's."""
    try:
        told: Any = json.loads(mark.read_text())
    except (OSError, ValueError):
        return None
    if not isinstance(told, dict) or told.keys() != _State.__annotations__.keys():
        return None
    return _State(files=told["files"], only=told["only"], digest=told["digest"])


def _one_or_all(folder: Path, only_path: str) -> Path:
    return folder / only_path if only_path and "/" not in only_path else folder
