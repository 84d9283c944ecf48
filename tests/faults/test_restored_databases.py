"""A MariaDB into which another state of the store comes, out of a backup say, while a server remembers its types."""

from collections.abc import Callable

import pytest
from mlmd_metadata_store.store import Store
from mlmd_schemas.errors import DataLoss, StoreError, Unavailable
from mlmd_schemas.pb import metadata_store_pb2 as pb

from tests.metadata_store.calls import Calls
from tests.services.mariadb import MariaDB


@pytest.fixture
def url(own_mariadb: MariaDB) -> str:
    """A database of the test's own."""
    return own_mariadb.create("facts")


def remembering(url: str) -> tuple[Store, int]:
    """Return a store that remembers a type which the backup has not."""
    store = Store.open(url)
    calls = Calls(store)
    kind = calls("PutArtifactType", artifact_type=pb.ArtifactType(name="Young")).type_id
    assert calls("PutArtifacts", artifacts=[pb.Artifact(type_id=kind)]).artifact_ids
    return store, kind


def made_again(server: MariaDB, url: str, store: Store) -> None:
    """Drop the database, which a call meets, and make it anew."""
    server.execute("DROP DATABASE facts")
    with pytest.raises((DataLoss, Unavailable)):
        Calls(store)("GetArtifacts")
    server.create("facts")
    Store.open(url).close()


def started_with_another_state(server: MariaDB, url: str, store: Store) -> None:
    """Stop the server, and start it on other files: the connections are lost."""
    server.execute("DELETE FROM Type WHERE name = 'Young'", "facts")
    server.restart()


def emptied(server: MariaDB, url: str, store: Store) -> None:
    """Take the table of types, which a call meets, and bring it back without one of them."""
    server.execute("RENAME TABLE Type TO Hidden", "facts")
    with pytest.raises(DataLoss):
        Calls(store)("PutArtifactType", artifact_type=pb.ArtifactType(name="Another"))
    server.execute("RENAME TABLE Hidden TO Type", "facts")
    server.execute("DELETE FROM Type WHERE name = 'Young'", "facts")


@pytest.mark.parametrize("restore", [made_again, emptied, started_with_another_state])
def test_a_type_that_is_gone_is_not_remembered(
    own_mariadb: MariaDB, url: str, restore: Callable[[MariaDB, str, Store], None]
) -> None:
    store, kind = remembering(url)
    restore(own_mariadb, url, store)
    with pytest.raises(StoreError, match="type_id: "):
        Calls(store)("PutArtifacts", artifacts=[pb.Artifact(type_id=kind, uri="of no type")])
    assert own_mariadb.execute("SELECT COUNT(*) FROM Artifact WHERE uri = 'of no type'", "facts") == [(0,)]
    store.close()
