"""How many a list gives at once, and what is said to who asks for another number."""

import pytest
from mlmd_api.graphql.connections import DEFAULT_PAGE, checked_first
from mlmd_schemas.errors import InvalidArgument

from tests.api.graphql.conftest import Graph


@pytest.mark.parametrize(("given", "size"), [(None, DEFAULT_PAGE), (1, 1), (100, 100)])
def test_a_page_has_as_many_as_were_asked_for(given: int | None, size: int) -> None:
    assert checked_first(given) == size


@pytest.mark.parametrize(("given", "mend"), [(-1, "ask for at least one"), (0, "ask for at least one"), (101, "fewer")])
def test_a_page_of_another_size_is_refused_with_what_mends_it(given: int, mend: str) -> None:
    with pytest.raises(InvalidArgument, match=rf"^first: {given} is not 1 to 100; .*{mend}"):
        checked_first(given)


@pytest.mark.parametrize(
    "query",
    [
        "query($after: String) { collections(after: $after) { nodes { id } } }",
        "query($after: String) { artifacts { nodes { files(after: $after) { nodes { path } } } } }",
        "query($after: String) { artifacts { nodes { contexts(after: $after) { nodes { id } } } } }",
    ],
)
def test_a_cursor_of_no_list_is_told_by_the_name_of_the_argument(small: Graph, query: str) -> None:
    made = small.call("PutArtifactType", artifact_type={"name": "Data"}).type_id
    small.call("PutArtifacts", artifacts=[{"type_id": made}])
    told = ("INVALID_ARGUMENT", "after: 'x' is no cursor of this list; take one of its edges.")
    assert small.refusal(query, after="x") == told
    assert "errors" not in small.answer(query, {"after": ""})
