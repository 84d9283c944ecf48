"""Tables of imports: archives on their way in, which node an imported one became, and files that follow."""

from sqlalchemy import BigInteger, Column, LargeBinary, String, Table

from mlmd_schemas.tables.own import METADATA

IMPORT = Table(
    "mlmd_imports",
    METADATA,
    Column("import_id", String, primary_key=True),
    Column("store_uuid", String, nullable=False),  # where the archive comes from
    Column("subject", String, nullable=False),
    Column("create_ms", BigInteger, nullable=False),
)
"""An import that is being filled; its row is locked while it is committed and gone afterwards."""

IMPORT_PART = Table(
    "mlmd_import_parts",
    METADATA,
    Column("import_id", String, primary_key=True),
    Column("number", BigInteger, primary_key=True, autoincrement=False),
    Column("part", BigInteger, primary_key=True, autoincrement=False),
    Column("content", LargeBinary, nullable=False),  # serialized ArchiveRows, cut so that it fits a packet
)

RESTORE = Table(
    "mlmd_restores",
    METADATA,
    Column("artifact_id", BigInteger, primary_key=True, autoincrement=False),
    Column("root_uri", String, nullable=False),  # where the files were
    Column("digest", LargeBinary, nullable=False),  # of the whole, which what is sent has to have
)
"""What makes an upload under way a restore: its files are those of the manifest that is there already."""

IMPORTED = Table(
    "mlmd_imported",
    METADATA,
    Column("store_uuid", String, primary_key=True),
    Column("type_kind", BigInteger, primary_key=True, autoincrement=False),
    Column("origin_id", BigInteger, primary_key=True, autoincrement=False),
    Column("node_id", BigInteger, nullable=False),
    Column("is_shared", BigInteger, nullable=False),  # 1: it was here before under that name, 2: it came home
)
"""Which node of this store a node of another one is."""
