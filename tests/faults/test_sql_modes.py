"""A database server whose `sql_mode` is another one than MySQL's default, or becomes another under a store."""

import contextlib

import pytest
from mlmd_metadata_store.store import Store
from mlmd_schemas.pb import metadata_store_pb2 as pb

from tests.metadata_store.calls import Calls
from tests.services.mariadb import MariaDB

NAME = "back\\slash 'and' \"quotes\""


def _set_mode(server: MariaDB, mode: str) -> None:
    """Let connections have another mode from here on, and end those that there are."""
    server.execute(f"SET GLOBAL sql_mode = '{mode}'")
    for (connection,) in server.execute(
        "SELECT id FROM information_schema.processlist WHERE db = 'facts' AND id <> CONNECTION_ID()"
    ):
        with contextlib.suppress(Exception):  # it went by itself
            server.execute(f"KILL {connection}")


@pytest.mark.parametrize(
    ("first", "then"),
    [
        ("ANSI", ""),
        ("", "ANSI,NO_BACKSLASH_ESCAPES,NO_AUTO_VALUE_ON_ZERO"),
        ("ORACLE,IGNORE_SPACE", "STRICT_ALL_TABLES"),
    ],
)
def test_calls_do_not_depend_on_the_mode_of_the_server(own_mariadb: MariaDB, first: str, then: str) -> None:
    _set_mode(own_mariadb, first)
    store = Store.open(own_mariadb.create("facts"))
    call = Calls(store)
    data = call("PutArtifactType", artifact_type=pb.ArtifactType(name="Data")).type_id
    for mode in (first, then, first):
        _set_mode(own_mariadb, mode)
        name = f"{NAME} in {mode}, {len(call('GetArtifacts').artifacts)}"
        (made,) = call("PutArtifacts", artifacts=[pb.Artifact(type_id=data, name=name, uri=NAME)]).artifact_ids
        (read,) = call("GetArtifactsByID", artifact_ids=[made]).artifacts
        assert (read.name, read.uri) == (name, NAME)
    assert len(call("GetArtifacts").artifacts) == 3
    store.close()
