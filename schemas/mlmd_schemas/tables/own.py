"""Our own tables, beside MLMD's and never inside them; all text in them is utf8mb4 on MySQL.

They describe columns for reading and writing; `mlmd_migrations` creates and changes them.
"""

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
