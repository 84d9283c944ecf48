"""What a blob may be called: as a file of an artifact, with the artifact's prefix before it."""

from mlmd_schemas.errors import InvalidArgument
from mlmd_schemas.paths import checked_path

LONGEST_KEY_BYTES = 1024
RESERVED = ".mlmd"
"""First segment of a local store's own files."""


def check_key(key: str) -> str:
    """Return the key of a blob; raises InvalidArgument. The rules are those of paths, with S3's 1,024 bytes."""
    checked_path(key, "key", LONGEST_KEY_BYTES)
    if key.split("/", 1)[0] == RESERVED:
        raise InvalidArgument(f"key: {key[:60]!r} begins with {RESERVED!r}, which a local store keeps for itself.")
    return key


def is_key(text: str) -> bool:
    """Whether `check_key` takes a text."""
    try:
        check_key(text)
    except InvalidArgument:
        return False
    return True
