"""The model registry: numbers of versions, outcomes of moves, gates, approvals, webhooks and their deliveries."""

from typing import Any

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import mysql
from sqlalchemy.types import TypeEngine

revision = "v0005"
down_revision = "v0004"
branch_labels = None
depends_on = None

KEY = sa.String(255)
TEXT = sa.Text().with_variant(mysql.LONGTEXT(), "mysql", "mariadb")
BYTES = sa.LargeBinary().with_variant(mysql.LONGBLOB(), "mysql", "mariadb")
NUMBER = sa.BigInteger()


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
        sqlite_autoincrement=key == ("id",),
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


def upgrade() -> None:
    """Create the tables."""
    _create(
        "mlmd_model_versions",
        ("version_id",),
        _column("version_id"),
        _column("model_id"),
        _column("number"),
        _column("model_artifact_id"),
        _column("subject", KEY),
        _column("create_ms"),
    )
    _index("idx_mlmd_model_versions_number", "mlmd_model_versions", "model_id", "number", unique=True)
    _index("idx_mlmd_model_versions_artifact", "mlmd_model_versions", "model_artifact_id")
    _create_moves()
    _create(
        "mlmd_webhooks",
        ("id",),
        _id(),
        _column("model_id"),
        _column("url", TEXT),
        _column("secret", TEXT),
        _column("subject", KEY),
        _column("create_ms"),
    )
    _create(
        "mlmd_deliveries",
        ("id",),
        _id(),
        _column("webhook_id"),
        _column("model_id"),
        _column("sequence"),
        _column("state"),
        _column("attempts"),
        _column("due_ms"),
        _column("last_status"),
        _column("problem", TEXT),
        _column("create_ms"),
        _column("body", BYTES),
    )
    _index("idx_mlmd_deliveries_due", "mlmd_deliveries", "state", "due_ms")
    _index("idx_mlmd_deliveries_webhook", "mlmd_deliveries", "webhook_id", "id")


def _create_moves() -> None:
    _index("idx_mlmd_alias_moves_alias", "mlmd_alias_moves", "context_id", "alias", "sequence")
    _create(
        "mlmd_move_outcomes",
        ("context_id", "sequence"),
        _column("context_id"),
        _column("sequence"),
        _column("stands"),
        _column("before"),
        _column("rolls_back"),
        _column("is_overridden"),
        _column("gates", BYTES),
    )
    _create(
        "mlmd_gates",
        ("model_id", "alias", "position"),
        _column("model_id"),
        _column("alias", KEY),
        _column("position"),
        _column("rule", TEXT),
    )
    _create(
        "mlmd_approvals",
        ("version_id", "subject"),
        _column("version_id"),
        _column("subject", KEY),
        _column("reason", TEXT),
        _column("create_ms"),
    )
