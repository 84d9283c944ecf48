"""The store's identity, exact values, receipts, and collections with their versions and aliases."""

from typing import Any

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import mysql
from sqlalchemy.types import TypeEngine

revision = "v0001"
down_revision = None
branch_labels = None
depends_on = None

KEY = sa.String(255)
TEXT = sa.Text().with_variant(mysql.LONGTEXT(), "mysql", "mariadb")
BYTES = sa.LargeBinary().with_variant(mysql.LONGBLOB(), "mysql", "mariadb")


def _column(name: str, kind: TypeEngine[Any]) -> sa.Column[Any]:
    return sa.Column(name, kind, nullable=False)


def _create(name: str, key: tuple[str, ...], *columns: sa.Column[Any]) -> None:
    # "if not exists", because MySQL keeps what an interrupted run made.
    op.create_table(
        name,
        *columns,
        sa.PrimaryKeyConstraint(*key),
        if_not_exists=True,
        mysql_engine="InnoDB",
        mysql_charset="utf8mb4",
        mysql_collate="utf8mb4_bin",
        mariadb_engine="InnoDB",
        mariadb_charset="utf8mb4",
        mariadb_collate="utf8mb4_bin",
    )


def _index(name: str, table: str, column: str) -> None:
    if name not in {index["name"] for index in sa.inspect(op.get_bind()).get_indexes(table)}:
        op.create_index(name, table, [column])


def upgrade() -> None:
    """Create the tables."""
    number = sa.BigInteger()
    _create(
        "mlmd_store",
        ("id",),
        sa.Column("id", number, nullable=False, autoincrement=False),
        _column("store_uuid", sa.String(36)),
        _column("text_mode", sa.String(16)),
        _column("create_ms", number),
    )
    _create(
        "mlmd_exact_values",
        ("type_kind", "node_id", "is_custom_property", "name"),
        _column("type_kind", number),
        _column("node_id", number),
        _column("is_custom_property", number),
        _column("name", KEY),
        _column("stand_in", TEXT),
        _column("value", BYTES),
    )
    _create(
        "mlmd_receipts",
        ("idempotency_key",),
        _column("idempotency_key", KEY),
        _column("method", KEY),
        _column("request_sha256", sa.LargeBinary(32).with_variant(mysql.VARBINARY(32), "mysql", "mariadb")),
        _column("response", BYTES),
        _column("create_ms", number),
    )
    _index("idx_mlmd_receipts_create_ms", "mlmd_receipts", "create_ms")
    _create_collections()


def _create_collections() -> None:
    number = sa.BigInteger()
    _create(
        "mlmd_collections",
        ("context_id",),
        sa.Column("context_id", number, nullable=False, autoincrement=False),
        _column("latest_number", number),
        _column("move_sequence", number),
    )
    _create(
        "mlmd_versions",
        ("context_id", "number"),
        _column("context_id", number),
        _column("number", number),
        _column("artifact_id", number),
        _column("create_ms", number),
    )
    _index("idx_mlmd_versions_artifact_id", "mlmd_versions", "artifact_id")
    _create(
        "mlmd_aliases",
        ("context_id", "alias"),
        _column("context_id", number),
        _column("alias", KEY),
        _column("number", number),
    )
    _create(
        "mlmd_alias_moves",
        ("context_id", "sequence"),
        _column("context_id", number),
        _column("sequence", number),
        _column("alias", KEY),
        _column("from_number", number),
        _column("to_number", number),
        _column("subject", KEY),
        _column("reason", sa.Text()),
        _column("move_ms", number),
    )
