"""Whether a write waits for the lock of another: what a test observes instead of letting some time pass."""

from collections.abc import Callable

from mlmd_metadata_store.store import Store

from tests.services.sql_server import Address


def loses(store: Store) -> Callable[[], bool]:
    """Return what tells whether a write of the store, begun after this, has lost against another and begun again."""
    begun = {store.database.written}

    def has_begun_again() -> bool:
        begun.add(store.database.written)
        return len(begun) > 2

    return has_begun_again


def waits(store: Store) -> Callable[[], object]:
    """Return what tells whether a write of the store, begun after this, has met the lock of another.

    InnoDB says so. SQLite does not, and is asked again and again: there it must lose once, so the store's
    `lock_timeout_seconds` are to be short.
    """
    url = store.database.dialect.url
    if not url.port:
        return loses(store)
    server = Address(url.port)
    return lambda: server.waiting(f"{url.database}")
