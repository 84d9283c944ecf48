"""The places that keep a store's bytes, remembered."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import mysql

revision = "v0009"
down_revision = "v0008"
branch_labels = None
depends_on = None

TEXT = sa.Text().with_variant(mysql.LONGTEXT(), "mysql", "mariadb")
SHA256 = sa.LargeBinary(32).with_variant(mysql.VARBINARY(32), "mysql", "mariadb")


def upgrade() -> None:
    """Create the table."""
    # "if not exists", because MySQL keeps what an interrupted run made.
    op.create_table(
        "mlmd_claims",
        sa.Column("root_sha256", SHA256, nullable=False),
        sa.Column("root_uri", TEXT, nullable=False),
        sa.Column("claim_ms", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("root_sha256"),
        if_not_exists=True,
        mysql_engine="InnoDB",
        mysql_charset="utf8mb4",
        mysql_collate="utf8mb4_bin",
        mariadb_engine="InnoDB",
        mariadb_charset="utf8mb4",
        mariadb_collate="utf8mb4_bin",
    )
