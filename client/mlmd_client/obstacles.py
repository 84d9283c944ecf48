"""Files in a folder that a download would replace, and that are other files: found before anything is fetched.

One whose bytes another version of the same name has at the same path is no obstacle, for the store gives it back: so
whoever fetches each new version into one folder goes on doing so. The newest versions are asked, and not thousands.
What none of them has, because somebody made or changed it here, is left, and told.
"""

import os
import stat
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

from mlmd_schemas.errors import Code
from mlmd_schemas.pb import metadata_store_pb2 as pb
from mlmd_schemas.pb import metadata_store_service_pb2 as mlmd
from mlmd_schemas.pb.v1 import artifacts_pb2 as v1
from mlmd_schemas.pb.v1 import registry_pb2

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


@dataclass(frozen=True, slots=True)
class _Found:
    """What stands where a file would be written; `sha256` is b"" for what is no plain file, or cannot be read."""

    place: str
    size_bytes: int
    sha256: bytes


def clear(calls: ArtifactCalls, artifact_id: int, prefix: str, target: DownloadTarget) -> None:
    """Look for obstacles and tell the target what it may replace; raises UnfitFiles that names what it may not.

    Each file that is there is read once; other versions are asked for when one has other bytes. A file of which the
    store knows no digest is compared when it has been fetched.
    """
    with disk_explained(target.root):
        if not target.root.is_dir():
            return
        obstacles = dict(_obstacles(calls, artifact_id, prefix, target))
    looked = ""
    if any(one.sha256 for one in obstacles.values()):
        others = _other_versions(Service(calls.transport), artifact_id)
        for other in islice(others, MOST_VERSIONS):
            for file in _asked(calls, other, prefix, obstacles):
                found = obstacles.get(file.path)
                if found is not None and file.sha256 and found.sha256 == file.sha256:
                    target.may_replace(found.place)
                    del obstacles[file.path]
            if not any(one.sha256 for one in obstacles.values()):
                break
        else:
            has_more = next(others, None) is not None
            which = f"none of the newest {MOST_VERSIONS} versions" if has_more else "no version"
            looked = f", whose bytes {which} of this name has"
    if obstacles:
        raise in_the_way(target.root, list(obstacles), looked)


def _obstacles(
    calls: ArtifactCalls, artifact_id: int, prefix: str, target: DownloadTarget
) -> Iterator[tuple[str, _Found]]:
    for file in calls.files(artifact_id, prefix):
        place = f"{target.folder}/{file.path}"
        try:
            state = os.lstat(place)
        except OSError:  # nothing is there; or a folder on the way is none, which is told when it is to be made
            continue
        if stat.S_ISDIR(state.st_mode):
            raise is_a_folder(place)
        if not stat.S_ISREG(state.st_mode):
            yield file.path, _Found(place, 0, b"")
        elif file.sha256 and not target.has(place, file.size_bytes, file.sha256):
            yield file.path, _Found(place, state.st_size, _digest(place))


def _digest(place: str) -> bytes:
    try:
        return sha256_of_path(Path(place))
    except OSError:
        return b""


def _asked(calls: ArtifactCalls, artifact_id: int, prefix: str, obstacles: dict[str, _Found]) -> Iterator[v1.File]:
    """Yield the files of another version that may be those obstacles; none when it has no files any more."""
    try:
        if len(obstacles) > _FEW:
            yield from calls.files(artifact_id, prefix)
            return
        for path in list(obstacles):
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
