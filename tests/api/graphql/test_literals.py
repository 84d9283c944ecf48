"""Values that are written wrongly: the error names the argument, the value, and what it may be."""

from collections.abc import Callable

import pytest
from mlmd_api.graphql.engine import GraphqlSettings

from tests.api.graphql.conftest import Graph

WRONG = {
    "an integer": ('{ artifacts(first: "a") { nodes { id } } }', 'first: Int cannot represent non-integer value: "a"'),
    "an enum": (
        "{ artifacts(orderBy: {field: NAME}) { nodes { id } } }",
        "orderBy.field: Value 'NAME' does not exist in 'OrderByFieldField' enum. It has ",
    ),
    "a scalar of ours": (
        'mutation { logScalars(owner: "QQ", scalars: [{name: "a", value: "abc"}]) { nodes { id } } }',
        "scalars.value: Double cannot be 'abc'; write a number",
    ),
    "a field that is not there": (
        'mutation { logScalars(owner: "QQ", scalars: [{nam: "a", value: 1}]) { nodes { id } } }',
        "scalars: Field 'NamedNumberInput.name' of required type",
    ),
    "nothing": ("{ node(id: null) { id } }", "id: Expected value of type 'ID!', found null."),
}


@pytest.mark.parametrize("case", WRONG)
def test_the_error_names_the_argument(small: Graph, case: str) -> None:
    query, begins = WRONG[case]
    (error, *_) = small.answer(query)["errors"]
    assert error["message"].startswith(begins)
    assert (error["extensions"]["code"], len(error["locations"])) == ("INVALID_ARGUMENT", 1)


def test_a_variable_is_named_with_its_value(small: Graph) -> None:
    query = "query($first: Int!) { artifacts(first: $first) { nodes { id } } }"
    code, message = small.refusal(query, first="a")
    assert code == "INVALID_ARGUMENT"
    assert "'$first'" in message
    assert "'a'" in message


def test_a_number_is_no_opaque_id_and_the_error_says_why(small: Graph) -> None:
    code, message = small.refusal('{ node(id: "7") { id } }')
    assert (code, message) == (
        "INVALID_ARGUMENT",
        "id: '7' is a databaseId, which says nothing of the kind of entity; take its opaque `id`.",
    )


def test_a_server_without_introspection_lists_no_values(open_graph: Callable[..., Graph], sqlite_url: str) -> None:
    graph = open_graph(sqlite_url, GraphqlSettings(introspection=False))
    message = graph.refusal("{ artifacts(orderBy: {field: NAME}) { nodes { id } } }")[1]
    assert message == "orderBy.field: Value 'NAME' does not exist in 'OrderByFieldField' enum."
