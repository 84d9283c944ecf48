"""Which dialect the URL of a database asks for."""

from mlmd_metadata_store.addresses import parse_url
from mlmd_metadata_store.connections import Connections
from mlmd_metadata_store.dialects import Dialect
from mlmd_metadata_store.mysql_dialect import MySqlDialect
from mlmd_metadata_store.options import StoreOptions
from mlmd_metadata_store.sqlite_dialect import SqliteDialect


def make_dialect(url: str, options: StoreOptions, connections: Connections | None = None) -> Dialect:
    """Return the dialect of a database URL, `sqlite:///path` or `mysql://user:password@host:port/database`.

    `connections` are what several databases of a process keep open together on servers; without, it has its own.
    Raises InvalidArgument for any other form.
    """
    parsed = parse_url(url)
    kind = SqliteDialect if parsed.get_backend_name() == "sqlite" else MySqlDialect
    return kind(parsed, options, connections or Connections())
