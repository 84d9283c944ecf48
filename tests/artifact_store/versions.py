"""A bucket that keeps versions, as its owner sees it."""

import json
from collections.abc import Callable

from minio import Minio
from mlmd_artifact_store.s3_settings import S3Settings

PREFIX = "pre fix%20/ü/"
Settings = Callable[..., S3Settings]


def versions(s3_admin: Minio, bucket: str, artifact_id: int | None = None) -> list[str]:
    """Return the keys of all versions and markers in a bucket, of one artifact if said, without the store's marks."""
    found = s3_admin.list_objects(bucket, PREFIX, recursive=True, include_version=True, use_url_encoding_type=False)
    keys = [(one.object_name or "")[len(PREFIX) :] for one in found]
    return sorted(
        key for key in keys if not key.startswith(".mlmd/") and (artifact_id is None or f"/{artifact_id}/" in key)
    )


def deny(s3_admin: Minio, bucket: str, *actions: str) -> None:
    """Forbid everybody some actions; none: nothing is forbidden any more."""
    if not actions:
        s3_admin.delete_bucket_policy(bucket)
        return
    statement = {
        "Effect": "Deny",
        "Principal": {"AWS": ["*"]},
        "Action": list(actions),
        "Resource": [f"arn:aws:s3:::{bucket}", f"arn:aws:s3:::{bucket}/*"],
    }
    s3_admin.set_bucket_policy(bucket, json.dumps({"Version": "2012-10-17", "Statement": [statement]}))
