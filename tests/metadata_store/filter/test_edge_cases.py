"""The read contract's edge cases 33 to 48, by number: what each filter finds in the recorded store."""

import pytest
from mlmd_metadata_store.store import Store
from mlmd_schemas.errors import InvalidArgument
from mlmd_schemas.tables.v10 import Kind

from tests.metadata_store.calls import Calls
from tests.metadata_store.filter.conftest import Find

A, E, C = Kind.ARTIFACT, Kind.EXECUTION, Kind.CONTEXT
EVERYTHING = [1, 2, 3, 4, 5, 6, 7, 8]

FOUND = [
    (33, A, "name != 'd1'", [2, 4, 5, 6, 7, 8]),
    (33, A, "state != LIVE", [2, 3, 4, 5, 6, 7, 8]),
    (33, A, "NOT (state = LIVE)", [2, 4, 5, 6, 7, 8]),
    (34, A, "state = LIVE OR state = PENDING", [1, 2]),
    (34, A, "state IN (2)", [1]),
    (34, A, "state IN (2, 3, 4)", [1, 4, 5]),
    (34, A, "state = 2", [1]),  # the reference refuses it
    (35, A, "state = ABANDONED", [7]),  # the reference does not know the name
    (36, A, "properties.nope.int_value IS NULL", []),
    (36, A, "id = 1 OR properties.nope.int_value = 1", []),
    (37, A, "custom_properties.n.int_value = 5 OR custom_properties.n.double_value = 5.5", [1, 4, 5]),
    (37, A, "custom_properties.n.double_value > 5", [5]),
    (38, A, "properties.acc.double_value > 0", [1, 2]),
    (38, A, "TRUE", EVERYTHING),
    (39, A, "contexts_a.name = 'r1' AND contexts_a.name = 'p1'", []),
    (39, A, "contexts_a.name = 'r1' AND contexts_b.name = 'p1'", [1, 4]),
    (40, A, "contexts_a.id != 1", [1, 2, 4, 5]),
    (41, E, "events_0.artifact_id = 1", [1, 2]),
    (42, C, "artifacts_a.id = 1 AND artifacts_b.id = 2", [1]),
    (42, C, "artifacts_a.id = 1 AND artifacts_a.id = 2", []),
    (43, C, "parent_contexts_a.id = 1 AND parent_contexts_b.id = 4", [3]),
    (43, C, "child_contexts_a.id = 3", [1, 4]),
    (44, A, 'name = "d1"', [1]),
    (44, A, "name = 'd1'", [1]),
    (44, A, "name = r'd1'", [1]),
    (44, A, r"properties.note.string_value = 'it\'s'", [2]),
    (44, A, "id = 1 -- and no more", [1]),
    (44, A, "id = /* the first */ 1", [1]),
    (45, A, "name = 'name'", []),
    (45, A, "uri = 'http://x?state=CA'", []),  # the reference takes the end of it for a state
    (46, A, "custom_properties.`my param`.string_value = 'x y'", [3]),
    (46, A, "custom_properties.`a.b`.int_value = 1", [3]),
    (46, A, "custom_properties.`a+b`.int_value = 1", [3]),  # the reference refuses it
    (46, A, "custom_properties.`' OR 1=1 --`.int_value = 1", []),
    (46, A, 'custom_properties.`" OR 1=1 --`.int_value = 1', []),
    (47, A, "properties.CamelProp.string_value = 'Cc'", [6]),  # the reference lower-cases the name
    (48, A, f"id IN ({','.join(map(str, range(1, 20_001)))})", EVERYTHING),
]

REFUSED = [
    (38, A, "id = '1'"),
    (38, A, "id = NULL"),
    (38, A, "NULL"),
    (38, A, "id"),
    (41, A, "events_0.artifact_id = 1"),
    (41, E, "events_0.execution_id = 1"),
    (44, A, "name = 'it''s'"),
    (44, A, "id = 1;"),
]


def _named(case: object) -> str | None:
    return f"case {case}" if isinstance(case, int) else str(case)[:60] if isinstance(case, str) else None


@pytest.mark.parametrize(("case", "kind", "text", "ids"), FOUND, ids=_named)
def test_a_filter_finds(find: Find, case: int, kind: Kind, text: str, ids: list[int]) -> None:
    assert find(kind, text) == ids


@pytest.mark.parametrize(("case", "kind", "text"), REFUSED, ids=_named)
def test_a_filter_is_refused(find: Find, case: int, kind: Kind, text: str) -> None:
    with pytest.raises(InvalidArgument, match=r"^Invalid `filter_query`: "):
        find(kind, text)


def test_case_49_a_filter_goes_with_an_order_by_creation(facts: Store) -> None:
    order = {"field": "CREATE_TIME", "is_asc": False}
    found = Calls(facts)("GetArtifacts", options={"filter_query": "id > 1", "order_by_field": order}).artifacts
    assert [artifact.id for artifact in found] == [8, 7, 6, 5, 4, 3, 2]
