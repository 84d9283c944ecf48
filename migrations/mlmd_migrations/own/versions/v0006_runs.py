"""Runs that say that they live."""

from typing import Any

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import mysql
from sqlalchemy.types import TypeEngine

revision = "v0006"
down_revision = "v0005"
branch_labels = None
depends_on = None

KEY = sa.String(255)
TEXT = sa.Text().with_variant(mysql.LONGTEXT(), "mysql", "mariadb")
NUMBER = sa.BigInteger()
TABLE = "mlmd_runs"


def _column(name: str, kind: TypeEngine[Any] = NUMBER) -> sa.Column[Any]:
    return sa.Column(name, kind, nullable=False, autoincrement=False)


def _index(name: str, *columns: str, unique: bool = False) -> None:
    if name not in {index["name"] for index in sa.inspect(op.get_bind()).get_indexes(TABLE)}:
        op.create_index(name, TABLE, list(columns), unique=unique)


def upgrade() -> None:
    """Create the table."""
    # "if not exists", because MySQL keeps what an interrupted run made.
    op.create_table(
        TABLE,
        _column("execution_id"),
        _column("context_id"),
        _column("step", KEY),
        _column("number"),
        _column("token", KEY),
        _column("join_key", KEY),
        _column("timeout_ms"),
        _column("start_ms"),
        _column("heartbeat_ms"),
        _column("lapse_ms"),
        _column("end_ms"),
        _column("lost"),
        _column("reason", TEXT),
        _column("subject", KEY),
        sa.PrimaryKeyConstraint("execution_id"),
        if_not_exists=True,
        mysql_engine="InnoDB",
        mysql_charset="utf8mb4",
        mysql_collate="utf8mb4_bin",
        mariadb_engine="InnoDB",
        mariadb_charset="utf8mb4",
        mariadb_collate="utf8mb4_bin",
    )
    _index("idx_mlmd_runs_token", "token", unique=True)
    _index("idx_mlmd_runs_number", "context_id", "step", "number", unique=True)
    _index("idx_mlmd_runs_lapse", "lapse_ms")
