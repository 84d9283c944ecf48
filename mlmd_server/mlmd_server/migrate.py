"""`mlmd-server migrate`: bring every configured database to today's shape, or print what that would do."""

import logging
import sys
from collections.abc import Iterator
from contextlib import contextmanager

from mlmd_metadata_store.addresses import place_of
from mlmd_metadata_store.dialect_choice import make_dialect
from mlmd_metadata_store.dialects import Dialect
from mlmd_metadata_store.options import StoreOptions
from mlmd_migrations import SchemaError, plan
from mlmd_migrations import migrate as migrate_schema
from mlmd_schemas.errors import Code, InvalidArgument, StoreError
from sqlalchemy.engine import Engine
from sqlalchemy.exc import DBAPIError

from mlmd_server.broken_off import tell
from mlmd_server.config import Config
from mlmd_server.serve import set_up_log
from mlmd_server.statuses import FAILED
from mlmd_server.wiring import store_options

_LOG = logging.getLogger("mlmd.migrate")


def migrate(config: Config, plan_only: bool) -> int:
    """Migrate the default database and those of the tenants; returns the exit status.

    With `plan_only` nothing is altered. The first database that cannot be migrated ends it, with a sentence.
    """
    set_up_log(config)
    options = store_options(config.database)
    databases = [("", config.database.url)] if config.database.url else []
    databases += [(f"tenant {name}: ", tenant.database) for name, tenant in config.tenants]
    for whose, url in databases:
        try:
            tell(f"{whose}{_planned(url, options) if plan_only else _migrated(url, options)}")
        except (StoreError, SchemaError) as error:
            level = logging.ERROR if error.code == Code.INTERNAL else logging.DEBUG
            _LOG.log(level, "the database was not migrated", exc_info=error)
            place = "" if isinstance(error, InvalidArgument) else f" {place_of(url, options.socket)}"
            print(f"mlmd-server: {whose}{error.message}{place}", file=sys.stderr)
            return FAILED
    return 0


def _planned(url: str, options: StoreOptions) -> str:
    dialect = make_dialect(url, options)
    with _connected(dialect, dialect.looker()) as engine:
        steps = plan(engine, downgrade_to=options.downgrade_to, google_text=options.google_text)
    return "\n".join(steps) if steps else "nothing to do"


def _migrated(url: str, options: StoreOptions) -> str:
    dialect = make_dialect(url, options)
    dialect.prepare()
    with _connected(dialect, dialect.engine(writer=True)) as engine:
        schema = migrate_schema(engine, downgrade_to=options.downgrade_to, google_text=options.google_text)
    return f"the database has today's shape (store {schema.store_uuid})"


@contextmanager
def _connected(dialect: Dialect, engine: Engine) -> Iterator[Engine]:
    """An engine that was seen to connect, and whose errors are ours."""
    try:
        engine.connect().close()  # the dialect knows best why this fails
        yield engine
    except DBAPIError as error:
        raise dialect.translate(error) from error
    finally:
        engine.dispose()
