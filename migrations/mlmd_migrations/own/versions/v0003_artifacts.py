"""Manifests of artifacts and their files; uploads under way and theirs."""

from typing import Any

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import mysql
from sqlalchemy.types import TypeEngine

revision = "v0003"
down_revision = "v0002"
branch_labels = None
depends_on = None

KEY = sa.String(255)
TEXT = sa.Text().with_variant(mysql.LONGTEXT(), "mysql", "mariadb")
BYTES = sa.LargeBinary().with_variant(mysql.LONGBLOB(), "mysql", "mariadb")
NUMBER = sa.BigInteger()
SHA256 = sa.LargeBinary(32).with_variant(mysql.VARBINARY(32), "mysql", "mariadb")
# Bytes, because text columns of MySQL take "a" and "a " for one.
PATH = sa.LargeBinary(1024).with_variant(mysql.VARBINARY(1024), "mysql", "mariadb")


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


def _index(name: str, table: str, column: str) -> None:
    if name not in {index["name"] for index in sa.inspect(op.get_bind()).get_indexes(table)}:
        op.create_index(name, table, [column])


def upgrade() -> None:
    """Create the tables."""
    _create(
        "mlmd_manifests",
        ("artifact_id",),
        _column("artifact_id"),
        _column("root_uri", TEXT),
        _column("key_prefix", TEXT),
        _column("is_external"),
        _column("file_count"),
        _column("size_bytes"),
        _column("digest", SHA256),
        _column("create_ms"),
    )
    _index("idx_mlmd_manifests_digest", "mlmd_manifests", "digest")
    _create(
        "mlmd_files",
        ("artifact_id", "path"),
        _column("artifact_id"),
        _column("path", PATH),
        _column("size_bytes"),
        _column("sha256", SHA256),
        _column("verified_ms"),
        _column("etag", KEY),
        _column("media_type", KEY),
    )
    _create_uploads()


def _create_uploads() -> None:
    _create(
        "mlmd_uploads",
        ("artifact_id",),
        _column("artifact_id"),
        _column("state"),
        _column("root_uri", TEXT),
        _column("key_prefix", TEXT),
        _column("file_count"),
        _column("size_bytes"),
        _column("digest", SHA256),
        _column("collection", TEXT),
        _column("subject", KEY),
        _column("create_ms"),
    )
    _create(
        "mlmd_upload_files",
        ("artifact_id", "path"),
        _column("artifact_id"),
        _column("path", PATH),
        _column("size_bytes"),
        _column("sha256", SHA256),
        _column("md5s", BYTES),
        _column("part_size_bytes"),
        _column("media_type", KEY),
        _column("parts_name", TEXT),
        _column("source_key", TEXT),
        _column("source_etag", KEY),
    )
