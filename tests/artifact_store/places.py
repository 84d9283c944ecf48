"""A place for bytes that goes away, as an unmounted volume and an emptied bucket do, and comes back."""

import io
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from minio import Minio
from mlmd_artifact_store.blob_store import BlobStore
from mlmd_artifact_store.local import LocalStore
from mlmd_artifact_store.s3 import S3Store


def client_of(blobs: S3Store) -> Minio:
    """Return a client of the object store that is not the store's own, which deletes no mark."""
    settings = blobs.settings
    address = settings.endpoint.removeprefix("http://")
    return Minio(address, settings.access_key, settings.secret_key, secure=False, region=settings.region)


@contextmanager
def gone(blobs: BlobStore) -> Iterator[None]:
    """Take away all that a place has, and put it back, over whatever is there then."""
    if isinstance(blobs, LocalStore):
        away = blobs.root.with_name("away")
        blobs.root.rename(away)
        blobs.root.mkdir()  # the folder on which a volume is mounted
        yield
        blobs.root.rename(blobs.root.with_name("hidden"))
        away.rename(blobs.root)
        return
    assert isinstance(blobs, S3Store)
    client, bucket, taken = client_of(blobs), blobs.settings.bucket, dict[str, bytes]()
    for one in list(client.list_objects(bucket, recursive=True)):
        name = one.object_name or ""
        with client.get_object(bucket, name) as answer:
            taken[name] = answer.read()
        client.remove_object(bucket, name)
    yield
    for name, content in taken.items():
        client.put_object(bucket, name, io.BytesIO(content), len(content))


def everything(blobs: BlobStore) -> list[str]:
    """Return all that a place has, marks and all."""
    if isinstance(blobs, LocalStore):
        return sorted(str(path.relative_to(blobs.root)) for path in Path(blobs.root).rglob("*") if path.is_file())
    assert isinstance(blobs, S3Store)
    found = client_of(blobs).list_objects(blobs.settings.bucket, recursive=True)
    return sorted(one.object_name or "" for one in found)
