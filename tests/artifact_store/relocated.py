"""Stores whose bytes are copied from one place to another, as `aws s3 sync` and `cp -a` do it."""

import io
import shutil

from mlmd_artifact_store.artifacts import Artifacts
from mlmd_artifact_store.blob_store import BlobStore
from mlmd_artifact_store.local import LocalStore
from mlmd_artifact_store.relocated_uris import Relocation, relocation
from mlmd_artifact_store.relocation import NOTHING, Rewritten, newest_artifact, rewrite, to_rewrite
from mlmd_artifact_store.relocation_proof import Found, prove_relocated
from mlmd_artifact_store.requests import Requests
from mlmd_artifact_store.verification import Verdict
from mlmd_metadata_store.store import Store
from mlmd_metadata_store.transaction import Transaction
from mlmd_schemas.caller import LOCAL
from mlmd_schemas.pb import metadata_store_pb2 as pb
from mlmd_schemas.tables.own import FILE, MANIFEST
from mlmd_schemas.tables.v10 import ARTIFACT

from tests.artifact_store.uploads import begin, send, type_id, upload_file
from tests.metadata_store.calls import Calls

SEVERAL = {"f": b"one", "folder é/100%.txt": b"two", "z": b"three", "zz": b""}
"""The files of an artifact of several."""
_NODE = ("id", "type_id", "uri", "state", "create_time_since_epoch", "last_update_time_since_epoch")
_MANIFEST = (
    "artifact_id", "root_uri", "key_prefix", "is_external", "file_count", "size_bytes", "digest", "create_ms",
)  # fmt: skip
_FILE = ("artifact_id", "path", "size_bytes", "sha256", "verified_ms", "etag", "media_type")


def copy(old: BlobStore, new: BlobStore) -> None:
    """Copy every blob and the mark of the default tenant."""
    if isinstance(old, LocalStore) and isinstance(new, LocalStore):
        shutil.copytree(old.root, new.root, dirs_exist_ok=True)
        return
    for blob in old.list():
        new.put(blob.key, io.BytesIO(b"".join(old.read(blob.key))), blob.size_bytes)
    new.make_mark("owners/_", old.read_mark("owners/_"), replace=True)


def moved_to(requests: Requests, blobs: BlobStore, said: str = "") -> tuple[Requests, Relocation]:
    """Return the store with its bytes at another place, and the relocation to there from what is said or its own."""
    new = Requests(Artifacts(requests.artifacts.store, blobs))
    return new, relocation(said or requests.artifacts.place.root, new.artifacts.place.root, "")


def several(requests: Requests) -> int:
    """Upload an artifact of several files."""
    files = [upload_file(path, content) for path, content in SEVERAL.items()]
    begun = requests.artifacts.begin_upload(begin(requests.artifacts.store, *files, name="a b"))
    assert set(send(requests, begun.artifact_id, SEVERAL)) == {200}
    requests.artifacts.commit_upload(begun.artifact_id)
    return begun.artifact_id


def put(store: Store, uri: str) -> int:
    """Record an artifact as a client of MLMD does."""
    made = pb.Artifact(type_id=type_id(store, "system.Dataset"), uri=uri)
    (artifact_id,) = Calls(store)("PutArtifacts", artifacts=[made]).artifact_ids
    return int(artifact_id)


def looked_for(requests: Requests, move: Relocation, *, read: bool = False) -> list[Found]:
    """Return what is found of all files."""
    newest = newest_artifact(requests.artifacts, LOCAL)
    return list(prove_relocated(requests.artifacts, move, newest, LOCAL, parallel=4, read=read))


def lacking(found: list[Found]) -> list[tuple[int, str, Verdict]]:
    """Return what is not as it was."""
    return [(one.artifact_id, one.path, one.verdict) for one in found if one.verdict is not Verdict.SAME]


def rewritten(requests: Requests, move: Relocation) -> Rewritten:
    """Rewrite all."""
    return sum(rewrite(requests.artifacts, move, newest_artifact(requests.artifacts, LOCAL), LOCAL), NOTHING)


def left(requests: Requests, move: Relocation) -> Rewritten:
    """Return what is to be rewritten."""
    return to_rewrite(requests.artifacts, move, newest_artifact(requests.artifacts, LOCAL), LOCAL)


def crowd(store: Store, root: str, count: int) -> None:
    """Write artifacts of one file each below a root, and none of their bytes."""
    of = type_id(store)

    def body(tx: Transaction) -> None:
        ids = range(1, count + 1)
        tx.insert(ARTIFACT, _NODE, [(n, of, f"{root}_/system.Model/_/{n}/", pb.Artifact.LIVE, 1, 1) for n in ids])
        manifests = [(n, f"{root}_/system.Model/_/{n}/", f"_/system.Model/_/{n}/", 0, 1, 1, b"d", 1) for n in ids]
        tx.insert(MANIFEST, _MANIFEST, manifests)
        tx.insert(FILE, _FILE, [(n, b"f", 1, b"s" * 32, 0, "e", "") for n in ids])

    store.database.write(LOCAL, body)
