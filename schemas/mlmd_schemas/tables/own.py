"""Our own tables, beside MLMD's and never inside them; all text in them is utf8mb4 on MySQL.

They describe columns for reading and writing; `mlmd_migrations` creates and changes them.
"""

from typing import Any

from sqlalchemy import BigInteger, Column, LargeBinary, MetaData, String, Table

METADATA = MetaData()


def _key(name: str) -> Column[int]:
    return Column(name, BigInteger, primary_key=True, autoincrement=False)


STORE = Table(
    "mlmd_store",
    METADATA,
    _key("id"),  # always 1
    Column("store_uuid", String, nullable=False),
    Column("text_mode", String, nullable=False),  # 'utf8' or 'google' (UTF-8 bytes over a latin1 connection)
    Column("create_ms", BigInteger, nullable=False),
)
"""One row: the identity of the store, and the row that type creation locks."""

EXACT_VALUE = Table(
    "mlmd_exact_values",
    METADATA,
    _key("type_kind"),
    _key("node_id"),
    _key("is_custom_property"),
    Column("name", String, primary_key=True),
    Column("stand_in", String, nullable=False),
    Column("value", LargeBinary, nullable=False),  # serialized ml_metadata.Value
)
"""What version 10 cannot hold; counts only while the property row's string_value still equals `stand_in`."""

RECEIPT = Table(
    "mlmd_receipts",
    METADATA,
    Column("idempotency_key", String, primary_key=True),
    Column("method", String, nullable=False),
    Column("request_sha256", LargeBinary, nullable=False),
    Column("response", LargeBinary, nullable=False),
    Column("create_ms", BigInteger, nullable=False),
)
"""The answers of writes that carried an idempotency key, kept for seven days."""

COLLECTION = Table(
    "mlmd_collections",
    METADATA,
    _key("context_id"),
    Column("latest_number", BigInteger, nullable=False),
    Column("move_sequence", BigInteger, nullable=False),
)
"""The counters of a collection; its row is locked while a version is added or an alias is moved."""

VERSION = Table(
    "mlmd_versions",
    METADATA,
    _key("context_id"),
    _key("number"),
    Column("artifact_id", BigInteger, nullable=False),
    Column("create_ms", BigInteger, nullable=False),
)

ALIAS = Table(
    "mlmd_aliases",
    METADATA,
    _key("context_id"),
    Column("alias", String, primary_key=True),
    Column("number", BigInteger, nullable=False),
)

ALIAS_MOVE = Table(
    "mlmd_alias_moves",
    METADATA,
    _key("context_id"),
    _key("sequence"),
    Column("alias", String, nullable=False),
    Column("from_number", BigInteger, nullable=False),  # 0: the alias did not exist
    Column("to_number", BigInteger, nullable=False),  # 0: the alias was removed
    Column("subject", String, nullable=False),
    Column("reason", String, nullable=False),
    Column("move_ms", BigInteger, nullable=False),
)


def _id() -> Column[int]:
    return Column("id", BigInteger, primary_key=True)


def _owner() -> tuple[Column[Any], ...]:
    """What a metric belongs to: a node, and on it a name and a slice of the data ("": all of it)."""
    return (
        Column("type_kind", BigInteger, nullable=False),
        Column("node_id", BigInteger, nullable=False),
        Column("name", String, nullable=False),
        Column("slice", String, nullable=False),
    )


SERIES = Table("mlmd_series", METADATA, _id(), *_owner())
"""A curve over steps; the row is locked while points are added."""

SERIES_SEGMENT = Table(
    "mlmd_series_segments",
    METADATA,
    _id(),
    Column("series_id", BigInteger, nullable=False),
    Column("first_step", BigInteger, nullable=False),
    Column("first_ms", BigInteger, nullable=False),
    Column("last_step", BigInteger, nullable=False),
    Column("last_ms", BigInteger, nullable=False),
    Column("points", BigInteger, nullable=False),  # how many
    Column("content", LargeBinary, nullable=False),  # little-endian columns: steps, times (int64), values (float64)
)
"""A run of points by rising step and time; the segments of a series do not overlap."""

EVALUATION = Table(
    "mlmd_evaluations",
    METADATA,
    _id(),
    *_owner(),
    Column("labels", String, nullable=False),  # JSON list: the classes of the matrix, [] without one
    Column("curves", String, nullable=False),  # JSON list: the label of each curve, in the order of their items
    Column("update_ms", BigInteger, nullable=False),
)
"""An evaluation; the row is locked while a part of it is replaced."""

EVALUATION_PART = Table(
    "mlmd_evaluation_parts",
    METADATA,
    _key("evaluation_id"),
    _key("item"),  # 0: the matrix; n: the n-th curve
    _key("part"),
    Column("content", LargeBinary, nullable=False),
)
"""The counts of matrices and the columns of curves, compressed, cut into parts that fit a packet of the database."""

TOMBSTONE = Table(
    "mlmd_tombstones",
    METADATA,
    _key("type_kind"),
    _key("node_id"),
    _key("what"),  # 1: the node's facts, 2: an artifact's bytes
    Column("subject", String, nullable=False),
    Column("reason", String, nullable=False),
    Column("file_count", BigInteger, nullable=False),
    Column("size_bytes", BigInteger, nullable=False),
    Column("delete_ms", BigInteger, nullable=False),
)
"""Who deleted what of a node, when and why."""

PIN = Table(
    "mlmd_pins",
    METADATA,
    _key("artifact_id"),
    Column("subject", String, nullable=False),
    Column("reason", String, nullable=False),
    Column("create_ms", BigInteger, nullable=False),
)
"""Artifacts that are kept whatever the rules of keeping say."""

DELETION = Table(
    "mlmd_deletions",
    METADATA,
    _key("artifact_id"),
    Column("key_prefix", String, nullable=False),
    Column("until_ms", BigInteger, nullable=False),  # requests that were signed can store bytes until then
    Column("create_ms", BigInteger, nullable=False),
)
"""Blobs that belong to nobody any more, noted before the first of them is deleted; gone when no more can come."""

LEASE = Table(
    "mlmd_leases",
    METADATA,
    Column("name", String, primary_key=True),
    Column("holder", String, nullable=False),
    Column("until_ms", BigInteger, nullable=False),
)
"""Work that one process does at a time, and when the next may begin."""

CLAIM = Table(
    "mlmd_claims",
    METADATA,
    Column("root_sha256", LargeBinary, primary_key=True),  # of the uri, which is too long for a key
    Column("root_uri", String, nullable=False),
    Column("claim_ms", BigInteger, nullable=False),
)
"""The places whose mark once said that they keep this store's bytes: what tells one that is missing from a new one."""

MANIFEST = Table(
    "mlmd_manifests",
    METADATA,
    _key("artifact_id"),
    Column("root_uri", String, nullable=False),  # where the files are, for others
    Column("key_prefix", String, nullable=False),  # where they are in the store of blobs; "" when external
    Column("is_external", BigInteger, nullable=False),
    Column("file_count", BigInteger, nullable=False),
    Column("size_bytes", BigInteger, nullable=False),
    Column("digest", LargeBinary, nullable=False),  # SHA-256 over the sorted files; b"" when one has none
    Column("create_ms", BigInteger, nullable=False),
)
"""The truth about an artifact's files, whatever becomes of its uri and state."""

FILE = Table(
    "mlmd_files",
    METADATA,
    _key("artifact_id"),
    Column("path", LargeBinary, primary_key=True),  # UTF-8
    Column("size_bytes", BigInteger, nullable=False),
    Column("sha256", LargeBinary, nullable=False),  # b"": unknown
    Column("verified_ms", BigInteger, nullable=False),  # 0: nobody has read the bytes; below: not the same then
    Column("etag", String, nullable=False),
    Column("media_type", String, nullable=False),
)

UPLOAD = Table(
    "mlmd_uploads",
    METADATA,
    _key("artifact_id"),
    Column("state", BigInteger, nullable=False),  # 1: pending, 2: aborted, its bytes not yet deleted
    Column("root_uri", String, nullable=False),
    Column("key_prefix", String, nullable=False),
    Column("file_count", BigInteger, nullable=False),
    Column("size_bytes", BigInteger, nullable=False),
    Column("digest", LargeBinary, nullable=False),
    Column("collection", String, nullable=False),  # "": none
    Column("subject", String, nullable=False),
    Column("create_ms", BigInteger, nullable=False),
)
"""An upload under way, its row gone when it is committed or its bytes are deleted; locked by whoever ends it."""

UPLOAD_FILE = Table(
    "mlmd_upload_files",
    METADATA,
    _key("artifact_id"),
    Column("path", LargeBinary, primary_key=True),
    Column("size_bytes", BigInteger, nullable=False),
    Column("sha256", LargeBinary, nullable=False),
    Column("md5s", LargeBinary, nullable=False),  # of the file, or of its parts one after the other; 16 bytes each
    Column("part_size_bytes", BigInteger, nullable=False),  # 0: sent whole
    Column("media_type", String, nullable=False),
    Column("parts_name", String, nullable=False),  # the store's name of the upload in parts; "": not begun
    Column("source_key", String, nullable=False),  # copied from this blob inside the store; "": sent
    Column("source_etag", String, nullable=False),
)

RUN = Table(
    "mlmd_runs",
    METADATA,
    _key("execution_id"),
    Column("context_id", BigInteger, nullable=False),  # the experiment's
    Column("step", String, nullable=False),
    Column("number", BigInteger, nullable=False),
    Column("token", String, nullable=False),
    Column("join_key", String, nullable=False),  # "": nobody joins by a key
    Column("timeout_ms", BigInteger, nullable=False),
    Column("start_ms", BigInteger, nullable=False),
    Column("heartbeat_ms", BigInteger, nullable=False),
    Column("lapse_ms", BigInteger, nullable=False),  # when it counts as dead unless heard from; 0: ended
    Column("end_ms", BigInteger, nullable=False),  # 0: runs
    Column("lost", BigInteger, nullable=False),  # 1: ended because it was not heard from
    Column("reason", String, nullable=False),
    Column("subject", String, nullable=False),
)
"""A run beside its execution, whose `last_known_state` is the truth about how it stands."""
