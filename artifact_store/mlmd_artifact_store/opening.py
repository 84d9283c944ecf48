"""From `--artifacts` to a store of blobs."""

from dataclasses import dataclass
from pathlib import Path

from mlmd_schemas.errors import FailedPrecondition, InvalidArgument
from mlmd_schemas.near_names import did_you_mean

from mlmd_artifact_store.blob_store import BlobStore
from mlmd_artifact_store.external_folder import ExternalFolder
from mlmd_artifact_store.keys import check_key
from mlmd_artifact_store.local import LocalStore
from mlmd_artifact_store.locations import HEARD, Location, parse_location

LONGEST_PREFIX_BYTES = 480
"""Of an object store's 1,024, an artifact's own prefix takes 272 at most: what is left is enough for any name."""


@dataclass(frozen=True, slots=True)
class ReachOptions:
    """How an object store is reached, where its URI does not say; see `S3Settings`."""

    endpoint: str = ""
    region: str = ""
    ca_file: str = ""
    public_endpoint: str = ""
    delete_versions: bool = False
    path_style: bool | None = None


def open_blobs(uri: str, reach: ReachOptions = ReachOptions()) -> BlobStore:
    """Return the store of blobs at a URI (`s3://bucket/prefix`, `minio://…`, `file:///path`) or a folder's path.

    Nothing is sent or made yet. Raises InvalidArgument for what cannot be one, FailedPrecondition when the package for
    object stores is not installed.
    """
    if "://" not in uri:
        if not uri:
            raise InvalidArgument("artifacts: empty; say s3://bucket/prefix, file:///path or a folder.")
        return LocalStore(Path(uri))
    location = parse_location(uri)
    if location.scheme == "file":
        return LocalStore(Path(location.key))
    return _s3(location, reach)


def open_others(uri: str, reach: ReachOptions = ReachOptions()) -> BlobStore:
    """Return what reads the bytes of others at a URI; raises as `open_blobs` does."""
    location = parse_location(uri)
    if location.scheme == "file":
        return ExternalFolder(Path(location.key))
    return _s3(location, reach, of_others=True)


def open_place(uri: str, reach: ReachOptions = ReachOptions()) -> BlobStore:
    """Return the store of blobs at a URI below which files will be kept, as `open_blobs` does.

    Raises InvalidArgument for a prefix of a bucket that leaves them no room, too.
    """
    blobs = open_blobs(uri, reach)
    if blobs.presigner is not None:
        size = len(parse_location(uri).key.strip("/").encode())
        if size > LONGEST_PREFIX_BYTES:
            raise InvalidArgument(
                f"artifacts: the prefix in the bucket has {size} bytes of UTF-8, and more than {LONGEST_PREFIX_BYTES} "
                "leave no room for the names of files; shorten it."
            )
    return blobs


def _s3(location: Location, reach: ReachOptions, *, of_others: bool = False) -> BlobStore:
    try:
        from mlmd_artifact_store.external_bucket import ExternalBucket
        from mlmd_artifact_store.s3 import S3Store
        from mlmd_artifact_store.s3_settings import S3Settings
    except ModuleNotFoundError as error:
        raise FailedPrecondition(
            "artifacts: object stores need a package that is not installed; run pip install 'mlmd-server[s3]'."
        ) from error
    for name, _ in location.others:  # Kubeflow's URIs say more than is heard here; what is misspelt is not one of that
        if hint := did_you_mean(name, HEARD):
            raise InvalidArgument(f"artifacts: {name!r} in the query of s3://{location.bucket} is not known{hint}")
    endpoint = location.endpoint or reach.endpoint
    if endpoint and "://" not in endpoint and location.secure is False:
        endpoint = f"http://{endpoint}"
    prefix = location.key.strip("/")
    settings = S3Settings(
        bucket=location.bucket,
        endpoint=endpoint,
        region=location.region or reach.region,
        path_style=reach.path_style if location.path_style is None else location.path_style,
        ca_file=reach.ca_file,
        public_endpoint=reach.public_endpoint,
        delete_versions=reach.delete_versions,
    )
    return (ExternalBucket if of_others else S3Store)(settings, f"{check_key(prefix)}/" if prefix else "")
