"""Names and external ids in several spellings: the database decides which are equal, and ours follows it."""

from collections.abc import Iterator

import pytest
from mlmd_metadata_store.options import StoreOptions
from mlmd_metadata_store.store import Store
from mlmd_schemas.errors import Code

from tests.metadata_store.calls import Calls
from tests.services.sql_server import Address

REUSE = {"reuse_context_if_already_exist": True, "reuse_artifact_if_already_exist_by_external_id": True}


@pytest.fixture
def adopted(mariadb: Address, mariadb_url: str, database_name: str) -> Iterator[Calls]:
    """Calls on a store whose text compares without case and spaces at the end."""
    mariadb.execute(f"ALTER DATABASE `{database_name}` CHARACTER SET utf8mb4 COLLATE utf8mb4_general_ci")
    store = Store.open(mariadb_url, StoreOptions(google_text=True))
    yield Calls(store)
    store.close()


def put_types(call: Calls) -> tuple[int, int, int]:
    made = call("PutTypes", artifact_types=[{"name": "A"}], context_types=[{"name": "C"}, {"name": "D"}])
    return made.artifact_type_ids[0], *made.context_type_ids


def test_a_name_of_another_type_is_not_taken_for_another_spelling(call: Calls) -> None:
    _, one, other = put_types(call)
    call("PutContexts", contexts=[{"type_id": other, "name": "a"}])
    contexts = [{"type_id": one, "name": "a"}, {"type_id": other, "name": "A"}]
    made = call("PutLineageSubgraph", contexts=contexts, options={"reuse_context_if_already_exist": True})
    assert list(made.context_ids) == [2, 3]


@pytest.mark.parametrize("spelling", ["run ", "RUN"])
def test_what_the_database_finds_is_reused(adopted: Calls, spelling: str) -> None:
    data, one, other = put_types(adopted)
    adopted("PutContexts", contexts=[{"type_id": one, "name": "run"}])
    adopted("PutArtifacts", artifacts=[{"type_id": data, "external_id": "run"}])
    contexts, artifact = [{"type_id": one, "name": spelling}], {"type_id": data, "external_id": spelling}
    assert list(adopted("PutLineageSubgraph", contexts=contexts, options=REUSE).context_ids) == [1]
    contexts.append({"type_id": other, "name": "new"})
    assert adopted("PutLineageSubgraph", contexts=contexts, options=REUSE).context_ids[0] == 1
    code = adopted.code("PutLineageSubgraph", artifacts=[artifact], options=REUSE)
    assert code is Code.ALREADY_EXISTS, "Google's looks for them as they are written there, and only there"
    execution = {"type_id": adopted("PutExecutionType", execution_type={"name": "E"}).type_id}
    pairs = [{"artifact": artifact}]
    made = adopted("PutExecution", execution=execution, artifact_event_pairs=pairs, options=REUSE)
    assert list(made.artifact_ids) == [1]
    assert adopted("GetArtifactsByID", artifact_ids=[1]).artifacts[0].external_id == spelling


@pytest.mark.parametrize("spelling", ["run ", "RUN"])
def test_of_several_contexts_each_is_found_by_another_spelling(adopted: Calls, spelling: str) -> None:
    _, one, other = put_types(adopted)
    adopted("PutContexts", contexts=[{"type_id": one, "name": "run"}, {"type_id": other, "name": "run"}])
    for contexts, ids in (
        ([(one, spelling), (other, "run")], [1, 2]),
        ([(one, spelling), (one, "run")], [1, 1]),
        ([(one, f"new{spelling}"), (one, "newrun")], [3, 3]),
    ):
        named = [{"type_id": type_id, "name": name} for type_id, name in contexts]
        assert list(adopted("PutLineageSubgraph", contexts=named, options=REUSE).context_ids) == ids


def test_a_new_context_is_found_by_the_name_that_another_gets_in_the_same_call(call: Calls) -> None:
    _, one, _ = put_types(call)
    call("PutContexts", contexts=[{"type_id": one, "name": "a"}])
    contexts = [{"id": 1, "type_id": one, "name": "b"}, {"type_id": one, "name": "b"}]
    assert list(call("PutLineageSubgraph", contexts=contexts, options=REUSE).context_ids) == [1, 1]


@pytest.mark.parametrize("spelling", ["a ", "A"])
def test_a_name_is_free_for_another_spelling_only_after_it_was_given_up(adopted: Calls, spelling: str) -> None:
    _, one, _ = put_types(adopted)
    adopted("PutContexts", contexts=[{"type_id": one, "name": "a"}, {"type_id": one, "name": "b"}])
    giving, taking = {"id": 1, "name": "c"}, {"id": 2, "name": spelling}
    assert adopted.code("PutContexts", contexts=[taking, giving]) is Code.INTERNAL
    assert adopted.code("PutContexts", contexts=[giving, taking]) is Code.OK
    assert [context.name for context in adopted("GetContexts").contexts] == ["c", spelling]
