"""Opens one database as a process of its own, once it is told to: `python -m tests.migrations.opener URL`.

It says `loaded`, and opens when a line comes.
"""

import sys

from mlmd_migrations import open_schema

from tests.migrations.databases import engine_of


def main(url: str) -> None:
    """Wait for the common start, open, say what came of it."""
    engine = engine_of(url)
    import alembic.command  # noqa: F401  loading takes longer than all the rest, and would spread the starts
    import sqlalchemy.dialects.sqlite  # noqa: F401

    print("loaded", flush=True)
    sys.stdin.readline()
    schema = open_schema(engine)
    print(schema.created, schema.store_uuid, schema.text_mode)


if __name__ == "__main__":
    main(*sys.argv[1:])
