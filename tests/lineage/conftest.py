"""A store on each database, and calls by name."""

from collections.abc import Iterator

import pytest
from mlmd_metadata_store.store import Store

from tests.lineage.story import Story
from tests.metadata_store.calls import Calls


@pytest.fixture
def call(database_url: str) -> Iterator[Calls]:
    """Calls on an empty store, on SQLite and on MariaDB."""
    store = Store.open(database_url)
    yield Calls(store)
    store.close()


@pytest.fixture
def story(call: Calls) -> Story:
    """A writer of small pipelines on the empty store."""
    return Story(call)
