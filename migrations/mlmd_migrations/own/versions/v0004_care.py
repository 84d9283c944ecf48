"""Tombstones, pins, deletions under way, and leases of work that one process does at a time."""

from typing import Any

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import mysql
from sqlalchemy.types import TypeEngine

revision = "v0004"
down_revision = "v0003"
branch_labels = None
depends_on = None

KEY = sa.String(255)
TEXT = sa.Text().with_variant(mysql.LONGTEXT(), "mysql", "mariadb")
NUMBER = sa.BigInteger()


def _column(name: str, kind: TypeEngine[Any] = NUMBER) -> sa.Column[Any]:
    return sa.Column(name, kind, nullable=False, autoincrement=False)


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


def upgrade() -> None:
    """Create the tables."""
    _create(
        "mlmd_tombstones",
        ("type_kind", "node_id", "what"),
        _column("type_kind"),
        _column("node_id"),
        _column("what"),
        _column("subject", KEY),
        _column("reason", TEXT),
        _column("file_count"),
        _column("size_bytes"),
        _column("delete_ms"),
    )
    _create(
        "mlmd_pins",
        ("artifact_id",),
        _column("artifact_id"),
        _column("subject", KEY),
        _column("reason", TEXT),
        _column("create_ms"),
    )
    _create(
        "mlmd_deletions",
        ("artifact_id",),
        _column("artifact_id"),
        _column("key_prefix", TEXT),
        _column("until_ms"),
        _column("create_ms"),
    )
    _create("mlmd_leases", ("name",), _column("name", KEY), _column("holder", KEY), _column("until_ms"))
