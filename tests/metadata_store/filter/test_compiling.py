"""What a filter becomes: SQL in which nothing of the request stands, and forms that filters share."""

from dataclasses import replace

import pytest
from mlmd_metadata_store.filter import Compiled, Form, compile, compile_filter, parse_filter
from mlmd_metadata_store.filter.columns import PropertySource, TypeSource
from mlmd_metadata_store.store import Store
from mlmd_schemas.tables.v10 import ARTIFACT, Kind

from tests.metadata_store.filter.conftest import Find, plain

A, E = Kind.ARTIFACT, Kind.EXECUTION


def test_text_reaches_the_database_encoded(facts: Store) -> None:
    def shout(text: str) -> str:
        return text.upper()

    query = parse_filter(A, "name IN ('d1', 'x') OR custom_properties.upper.int_value = 7 AND name LIKE 'd%'")
    compiled = compile_filter(query, facts.database.dialect.name, shout)
    fixed = compiled.form.select(ARTIFACT.c.id).compile(dialect=facts.database.reader.dialect).params
    values = [*fixed.values(), *compiled.values.values()]
    texts = {
        text for value in values for text in (value if isinstance(value, list) else [value]) if isinstance(text, str)
    }
    assert texts == {"D1", "X", "UPPER", "D%"}


def test_nothing_of_the_request_is_in_the_sql(facts: Store) -> None:
    query = parse_filter(
        A, "properties.`secret1`.int_value = 4711 AND contexts_secret2.name IN ('secret3') OR uri = 'secret4'"
    )
    form = compile_filter(query, facts.database.dialect.name, plain).form
    sql = str(form.select(ARTIFACT.c.id).compile(dialect=facts.database.reader.dialect))
    assert "secret" not in sql
    assert "4711" not in sql


@pytest.mark.parametrize(
    ("text", "distinct"),
    [
        ("type = 'Model' AND properties.a.int_value = 1 AND custom_properties.b.int_value = 2", False),
        ("contexts_a.id = 1 AND name = 'x'", False),
        ("1 = contexts_a.id AND contexts_a.type = 'Run'", False),
        ("contexts_a.id = 1 OR name = 'x'", True),
        ("contexts_a.id = 1 AND contexts_b.name = 'x'", True),
        ("events_0.execution_id = 1 AND events_0.type = INPUT", False),
        ("events_0.execution_id = 1", True),
        ("contexts_a.name = 'x'", True),
        ("NOT contexts_a.id = 1", True),
    ],
)
def test_distinct_only_where_a_node_may_repeat(text: str, distinct: bool) -> None:
    assert compile_filter(parse_filter(A, text), "sqlite", plain).form.needs_distinct is distinct


def test_a_repeated_filter_is_remembered() -> None:
    first = parse_filter(A, "id = 1")
    assert parse_filter(A, "id = 1") is first
    assert parse_filter(E, "id = 1") is not first
    assert compile_filter(first, "sqlite", plain) is compile_filter(first, "sqlite", plain)


def test_filters_that_differ_in_literals_share_their_form() -> None:
    def compiled(text: str) -> Compiled:
        return compile_filter(parse_filter(A, text), "sqlite", plain)

    one = compiled("properties.x.int_value = 1 AND name IN ('a', 'b')")
    other = compiled("properties.x.int_value = 2 AND name IN ('c')")
    assert one.form is other.form
    assert list(other.values.values()) == [2, ["c"]]
    assert one.form is not compiled("properties.y.int_value = 1 AND name IN ('a', 'b')").form
    assert one.form is not compiled("properties.x.int_value = 1.5 AND name IN ('a', 'b')").form
    assert one.form is not compiled("properties.x.int_value = 1 AND name NOT IN ('a', 'b')").form


def test_filters_that_differ_in_more_do_not_share_their_form() -> None:
    query = parse_filter(A, "properties.x.int_value = 1 AND name = 'a'")
    typed = replace(query, sources=(TypeSource(), *query.sources))
    compiled = [
        compile_filter(query, "sqlite", plain),
        compile_filter(parse_filter(E, query.text), "sqlite", plain),
        compile_filter(query, "mysql", plain),
        compile_filter(query, "sqlite", str.upper),
        compile_filter(replace(query, outer=True), "sqlite", plain),
        compile_filter(typed, "sqlite", plain),
        compile_filter(query, "sqlite", plain, frozenset({PropertySource(custom=False, name="x")})),
    ]
    assert len({id(one.form) for one in compiled}) == len(compiled)


def test_the_forms_that_were_made_last_are_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    most = 3
    monkeypatch.setattr(compile, "_MOST_FORMS", most)

    def form(property_name: str, value: int) -> Form:
        return compile_filter(parse_filter(A, f"properties.{property_name}.int_value = {value}"), "sqlite", plain).form

    made = [form(f"kept{number}", 1) for number in range(most + 1)]
    assert [form(f"kept{number}", 2) is made[number] for number in range(most, 0, -1)] == [True] * most
    assert form("kept0", 2) is not made[0]


def test_a_shared_form_answers_each_filter(find: Find) -> None:
    for number in (1, 2, 3, 99):
        ids = [number] if number < 9 else []
        assert find(A, f"properties.span.int_value = {number} OR id = 100") == ids
        assert find(A, f"id IN ({number}, 100)") == ids
        assert find(A, f"ENDS_WITH(uri, '{'/' * (number % 3)}{number}') AND id = {number}") == (
            [number] if number in (1, 3) else []
        )
