"""Opens one database as a process of its own: `python -m tests.migrations.opener URL START`, START in epoch seconds."""

import sys
import time

from mlmd_migrations import open_schema

from tests.migrations.databases import engine_of


def main(url: str, start: str) -> None:
    """Wait for the common start, open, say what came of it."""
    engine = engine_of(url)
    import alembic.command  # noqa: F401  loading takes longer than all the rest, and would spread the starts
    import sqlalchemy.dialects.sqlite  # noqa: F401

    time.sleep(max(0.0, float(start) - time.time()))
    schema = open_schema(engine)
    print(schema.created, schema.store_uuid, schema.text_mode)


if __name__ == "__main__":
    main(*sys.argv[1:])
