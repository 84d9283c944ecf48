"""Files in a folder that a download would replace, and that are other files: found before anything is fetched.

One whose bytes another version of the same name has at the same path is no obstacle, for the store gives it back: so
whoever fetches each new version into one folder goes on doing so. The newest versions are asked, and not thousands.
What none of them has, because somebody made or changed it here, is left, and told.
"""

import os
import stat
from collections.abc import Iterable, Iterator
from contextlib import ExitStack
from itertools import islice
from pathlib import Path

from mlmd_schemas.errors import Code
from mlmd_schemas.pb import metadata_store_pb2 as pb
from mlmd_schemas.pb import metadata_store_service_pb2 as mlmd
from mlmd_schemas.pb.v1 import artifacts_pb2 as v1
from mlmd_schemas.pb.v1 import registry_pb2
from mlmd_schemas.set_aside import SetAside

from mlmd_client.artifact_calls import ArtifactCalls
from mlmd_client.calls import CallError
from mlmd_client.download_target import DownloadTarget, disk_explained, in_the_way, is_a_folder
from mlmd_client.hashing import sha256_of_path
from mlmd_client.registry_pages import pages
from mlmd_client.service import Service

MOST_VERSIONS = 200
"""So many other versions of a name, the newest, are asked whether they have what stands in the way."""
_FEW = 4
"""So many files are asked for one by one; of more all are listed."""
_PAGE = 100


_Obstacle = tuple[str, int, bytes]
"""Path, size and SHA-256 of what stands where a file would be written; b"" for no plain file, or one not to be read."""


def clear(calls: ArtifactCalls, artifact_id: int, prefix: str, target: DownloadTarget) -> None:
    """Look for obstacles and tell the target what it may replace; raises UnfitFiles that names what it may not.

    Each file that is there is read once; other versions are asked for when one has other bytes. A file of which the
    store knows no digest is compared when it has been fetched.
    """
    with ExitStack() as kept:
        left = kept.enter_context(SetAside[_Obstacle]())
        replaced = kept.enter_context(SetAside[str]())
        with disk_explained(target.root):
            for obstacle in _obstacles(calls, artifact_id, prefix, target) if target.root.is_dir() else ():
                left.append(obstacle)
        looked = ""
        if any(sha256 for _, _, sha256 in left):
            others = _other_versions(Service(calls.transport), artifact_id)
            for other in islice(others, MOST_VERSIONS):
                before, left = left, kept.enter_context(SetAside[_Obstacle]())
                for obstacle, is_there in _matched(before, _asked(calls, other, prefix, before)):
                    if is_there:
                        replaced.append(obstacle[0])
                    else:
                        left.append(obstacle)
                before.close()
                if not any(sha256 for _, _, sha256 in left):
                    break
            else:
                has_more = next(others, None) is not None
                which = f"none of the newest {MOST_VERSIONS} versions" if has_more else "no version"
                looked = f", whose bytes {which} of this name has"
        if len(left):
            raise in_the_way(target.root, (path for path, _, _ in left), len(left), looked)
        target.may_replace(replaced)


def _matched(obstacles: Iterable[_Obstacle], files: Iterator[v1.File]) -> Iterator[tuple[_Obstacle, bool]]:
    """Yield each obstacle, and whether its bytes are at its path among files; both come by the bytes of their paths."""
    file = next(files, None)
    for obstacle in obstacles:
        path, _, sha256 = obstacle
        while file is not None and file.path.encode() < path.encode():
            file = next(files, None)
        yield obstacle, file is not None and file.path == path and bool(sha256) and file.sha256 == sha256


def _obstacles(calls: ArtifactCalls, artifact_id: int, prefix: str, target: DownloadTarget) -> Iterator[_Obstacle]:
    for file in calls.files(artifact_id, prefix):
        place = f"{target.folder}/{file.path}"
        try:
            state = os.lstat(place)
        except OSError:  # nothing is there; or a folder on the way is none, which is told when it is to be made
            continue
        if stat.S_ISDIR(state.st_mode):
            raise is_a_folder(place)
        if not stat.S_ISREG(state.st_mode):
            yield file.path, 0, b""
        elif file.sha256 and not target.has(place, file.size_bytes, file.sha256):
            yield file.path, state.st_size, _digest(place)


def _digest(place: str) -> bytes:
    try:
        return sha256_of_path(Path(place))
    except OSError:
        return b""


def _asked(calls: ArtifactCalls, artifact_id: int, prefix: str, obstacles: SetAside[_Obstacle]) -> Iterator[v1.File]:
    """Yield the files of another version that may be those obstacles, by path; none when it has no files any more."""
    try:
        if len(obstacles) > _FEW:
            yield from calls.files(artifact_id, prefix)
            return
        for path, _, _ in obstacles:
            file = next(calls.files(artifact_id, path, page_size=1), None)  # it comes before all that begin with it
            if file is not None:
                yield file
    except CallError as error:
        if error.code != Code.NOT_FOUND:
            raise


def _other_versions(service: Service, artifact_id: int) -> Iterator[int]:
    """Yield the versions of the names and registered models of which an artifact is one, the newest first, once."""
    seen = {artifact_id}
    request = mlmd.GetContextsByArtifactRequest(artifact_id=artifact_id)
    for context in service.read(request, mlmd.GetContextsByArtifactResponse).contexts:
        if context.type == "mlmd.Collection":
            found = _in_context(service, context.id)
        elif context.type == "kf.ModelVersion":
            model = registry_pb2.ListModelVersionsRequest(
                model=context.properties["model_name"].string_value, include_archived=True
            )
            listed = pages(service, model, registry_pb2.ListModelVersionsResponse)
            found = (one.artifact_id for page in listed for one in page.versions)
        else:
            continue
        for other in found:
            if other not in seen:
                seen.add(other)
                yield other


def _in_context(service: Service, context_id: int) -> Iterator[int]:
    options = pb.ListOperationOptions(max_result_size=_PAGE)
    options.order_by_field.CopyFrom(pb.ListOperationOptions.OrderByField(field="ID", is_asc=False))
    request = mlmd.GetArtifactsByContextRequest(context_id=context_id, options=options)
    while True:
        page = service.read(request, mlmd.GetArtifactsByContextResponse)
        yield from (one.id for one in page.artifacts)
        request.options.next_page_token = page.next_page_token
        if not page.next_page_token:
            return
