"""A store on each database, and calls by name."""

from collections.abc import Iterator

import pytest
from mlmd_metadata_store.store import Store

from tests.metadata_store.calls import Calls


@pytest.fixture
def store(database_url: str) -> Iterator[Store]:
    """An empty store, on SQLite and on MariaDB."""
    opened = Store.open(database_url)
    yield opened
    opened.close()


@pytest.fixture
def call(store: Store) -> Calls:
    """Calls on the empty store: `call("PutArtifacts", artifacts=[...])`."""
    return Calls(store)
