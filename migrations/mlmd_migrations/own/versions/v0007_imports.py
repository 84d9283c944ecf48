"""Imports of archives, and which node an imported one became."""

from typing import Any

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import mysql
from sqlalchemy.types import TypeEngine

revision = "v0007"
down_revision = "v0006"
branch_labels = None
depends_on = None

KEY = sa.String(64)
NAME = sa.String(255)
BYTES = sa.LargeBinary().with_variant(mysql.LONGBLOB(), "mysql", "mariadb")
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
        "mlmd_imports",
        ("import_id",),
        _column("import_id", KEY),
        _column("store_uuid", KEY),
        _column("subject", NAME),
        _column("create_ms"),
    )
    _create(
        "mlmd_import_parts",
        ("import_id", "number", "part"),
        _column("import_id", KEY),
        _column("number"),
        _column("part"),
        _column("content", BYTES),
    )
    _create(
        "mlmd_imported",
        ("store_uuid", "type_kind", "origin_id"),
        _column("store_uuid", KEY),
        _column("type_kind"),
        _column("origin_id"),
        _column("node_id"),
        _column("is_shared"),
    )
