"""Series and their points, evaluations and their matrices and curves."""

from typing import Any

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import mysql
from sqlalchemy.types import TypeEngine

revision = "v0002"
down_revision = "v0001"
branch_labels = None
depends_on = None

KEY = sa.String(255)
TEXT = sa.Text().with_variant(mysql.LONGTEXT(), "mysql", "mariadb")
BYTES = sa.LargeBinary().with_variant(mysql.LONGBLOB(), "mysql", "mariadb")
NUMBER = sa.BigInteger()
OWNER = ("type_kind", "node_id", "name", "slice")


def _column(name: str, kind: TypeEngine[Any] = NUMBER) -> sa.Column[Any]:
    return sa.Column(name, kind, nullable=False, autoincrement=False)


def _id() -> sa.Column[Any]:
    # SQLite numbers rows by itself only in a key that is called INTEGER, which has 64 bits there.
    return sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), autoincrement=True)


def _create(name: str, key: tuple[str, ...], *columns: sa.Column[Any]) -> None:
    # "if not exists", because MySQL keeps what an interrupted run made.
    op.create_table(
        name,
        *columns,
        sa.PrimaryKeyConstraint(*key),
        if_not_exists=True,
        sqlite_autoincrement=True,
        mysql_engine="InnoDB",
        mysql_charset="utf8mb4",
        mysql_collate="utf8mb4_bin",
        mariadb_engine="InnoDB",
        mariadb_charset="utf8mb4",
        mariadb_collate="utf8mb4_bin",
    )


def _index(name: str, table: str, *columns: str, unique: bool = False) -> None:
    if name not in {index["name"] for index in sa.inspect(op.get_bind()).get_indexes(table)}:
        op.create_index(name, table, list(columns), unique=unique)


def _owner() -> tuple[sa.Column[Any], ...]:
    return _column("type_kind"), _column("node_id"), _column("name", KEY), _column("slice", KEY)


def upgrade() -> None:
    """Create the tables."""
    _create("mlmd_series", ("id",), _id(), *_owner())
    _index("idx_mlmd_series_owner", "mlmd_series", *OWNER, unique=True)
    _create(
        "mlmd_series_segments",
        ("id",),
        _id(),
        _column("series_id"),
        _column("first_step"),
        _column("first_ms"),
        _column("last_step"),
        _column("last_ms"),
        _column("points"),
        _column("content", BYTES),
    )
    _index("idx_mlmd_series_segments_series", "mlmd_series_segments", "series_id", "first_step", "first_ms")
    _create(
        "mlmd_evaluations",
        ("id",),
        _id(),
        *_owner(),
        _column("labels", TEXT),
        _column("curves", TEXT),
        _column("update_ms"),
    )
    _index("idx_mlmd_evaluations_owner", "mlmd_evaluations", *OWNER, unique=True)
    _create(
        "mlmd_evaluation_parts",
        ("evaluation_id", "item", "part"),
        _column("evaluation_id"),
        _column("item"),
        _column("part"),
        _column("content", BYTES),
    )
