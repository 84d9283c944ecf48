"""What a caller says of the files it will send, checked before anything is written."""

import re
from collections.abc import Sequence

from mlmd_schemas.counting import counted
from mlmd_schemas.errors import InvalidArgument
from mlmd_schemas.paths import LONGEST_PATH_BYTES, are_in_order, check_paths
from mlmd_schemas.pb.v1 import artifacts_pb2 as v1

from mlmd_artifact_store.blob_store import LARGEST_PART_BYTES, MOST_PARTS, SMALLEST_PART_BYTES, part_count
from mlmd_artifact_store.keys import LONGEST_KEY_BYTES

MOST_FILES = 1_000_000
_LARGEST_FILE_BYTES = 5 << 40
_MEDIA_TYPE = re.compile(r"[A-Za-z0-9!#$&^_.+-]+/[A-Za-z0-9!#$&^_.+-]+(\s*;[ -~]*)?")


def check_files(
    files: Sequence[v1.UploadFile],
    *,
    external: bool = False,
    more: bool = False,
    later: bool = False,
    folder: bool = False,
) -> None:
    """Check declared files, each and together; raises InvalidArgument naming the file.

    Files that are sent need a SHA-256 and their MD5s; those of an `external` artifact need neither, and those in parts
    may say them `later`; for a `folder` the SHA-256 of one that is sent whole is enough. There may be none when `more`
    are to come.
    """
    if not files and not more:
        raise InvalidArgument("files: none; an artifact of bytes has at least one file.")
    if len(files) > MOST_FILES:
        raise InvalidArgument(
            f"files: {len(files)} are more than the {MOST_FILES} of one artifact; pack some together."
        )
    if not are_in_order(file.path for file in files):
        check_paths(file.path for file in files)
    for file in files:
        _check_file(file, external, later, folder)


def check_keys(prefix: str, files: Sequence[v1.UploadFile], longest: int) -> None:
    """Check that the keys of files, below an artifact's prefix, fit a store; raises InvalidArgument naming the file."""
    room = longest - len(prefix.encode())
    if room >= LONGEST_PATH_BYTES:
        return
    for file in files:
        size = len(file.path.encode())
        if size > room:
            raise InvalidArgument(
                f"files[{file.path[:80]!r}].path: {size} bytes of UTF-8, and an object store's key, which takes "
                f"{LONGEST_KEY_BYTES} with all that is before the path in the bucket, leaves it {room}; shorten it, or "
                "the prefix of --artifacts."
            )


def _check_file(file: v1.UploadFile, external: bool, later: bool, folder: bool) -> None:
    shown = f"files[{file.path[:80]!r}]"
    if not 0 <= file.size_bytes <= _LARGEST_FILE_BYTES:
        raise InvalidArgument(f"{shown}.size_bytes: {file.size_bytes} is not 0 to {_LARGEST_FILE_BYTES}.")
    is_open = later and file.part_size_bytes > 0 and not file.md5s and not file.sha256
    if len(file.sha256) != 32 and not (external and not file.sha256) and not is_open:
        raise InvalidArgument(
            f"{shown}.sha256: {counted(len(file.sha256), 'byte')}, and a SHA-256 has 32; send it as bytes."
        )
    if file.media_type and (len(file.media_type) > 255 or not _MEDIA_TYPE.fullmatch(file.media_type)):
        raise InvalidArgument(f"{shown}.media_type: {file.media_type[:80]!r} is not type/subtype.")
    if external:
        if file.md5s or file.part_size_bytes:
            raise InvalidArgument(f"{shown}: a file that is not sent has no md5s and no part_size_bytes.")
        return
    if not folder or file.md5s or file.part_size_bytes:
        _check_md5s(file, shown, is_open)


def _check_md5s(file: v1.UploadFile, shown: str, is_open: bool) -> None:
    if file.part_size_bytes and not SMALLEST_PART_BYTES <= file.part_size_bytes <= LARGEST_PART_BYTES:
        raise InvalidArgument(
            f"{shown}.part_size_bytes: {file.part_size_bytes} is not {SMALLEST_PART_BYTES} to {LARGEST_PART_BYTES}; 0 "
            "sends the file whole."
        )
    if not file.part_size_bytes and file.size_bytes > LARGEST_PART_BYTES:
        raise InvalidArgument(f"{shown}: more than {LARGEST_PART_BYTES} bytes are sent in parts; set part_size_bytes.")
    expected = part_count(file.size_bytes, file.part_size_bytes)
    if expected > MOST_PARTS:
        raise InvalidArgument(f"{shown}: {expected} parts are more than {MOST_PARTS}; make them larger.")
    if is_open:
        return
    if len(file.md5s) != expected or any(len(md5) != 16 for md5 in file.md5s):
        raise InvalidArgument(
            f"{shown}.md5s: {counted(len(file.md5s), 'MD5')} given; send {expected} of 16 bytes, one for each part or "
            "one for the file."
        )
