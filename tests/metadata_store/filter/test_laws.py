"""Laws of the language, tried on filters that nobody thought of."""

import itertools
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st
from mlmd_metadata_store.filter import Compiled, Filter, compile_filter, parse_filter
from mlmd_metadata_store.filter.query import REMEMBERED_TEXT
from mlmd_metadata_store.store import Store
from mlmd_schemas.errors import InvalidArgument
from mlmd_schemas.tables.v10 import NODE_TABLES, Kind
from sqlalchemy.dialects import mysql, sqlite

from tests.metadata_store.filter.conftest import Find, finder, plain

SHARED = settings(
    deadline=None, max_examples=200, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow]
)
KINDS = st.sampled_from(list(Kind))
ALL = {1, 2, 3, 4, 5, 6, 7, 8}

# fmt: off
WORDS = [
    "(", "(", ")", ")", ",", ".", "=", "!=", "<>", "<", "<=", ">", ">=", "+", "-", "*", "/", "||", "|", "&", "^",
    "~", "<<", ">>", "--", "#", "/*", "*/", ";", "@p", "?", "`", "'", '"', "\\", "é", "AND", "OR", "NOT", "IN",
    "LIKE", "BETWEEN", "IS", "NULL", "TRUE", "FALSE", "UNKNOWN", "CASE", "WHEN", "THEN", "ELSE", "END", "CAST", "AS",
    "INT64", "STRING", "id", "name", "uri", "type", "state", "last_known_state", "external_id", "type_id", "LIVE",
    "RUNNING", "INPUT", "contexts_a.id", "contexts_b.name", "contexts_a.type", "events_0.type",
    "events_0.execution_id", "artifacts_a.state", "parent_contexts_a.id", "properties.span.int_value",
    'custom_properties.`a"b`.string_value', "properties.flag.bool_value", "properties.acc.double_value", "1", "2",
    "0", "-1", "1.5", ".5", "1e3", "0x1F", "9223372036854775808", "'d1'", '"x"', "r'\\d'", "'''t'''", "b'x'",
    "'it\\'s'", "'100%'", "99999999999999999999", "COALESCE(", "IF(", "UPPER(", "SUBSTR(", "FOO(",
]
# fmt: on
SOUP = st.lists(st.sampled_from(WORDS), max_size=25).map(" ".join)

INTEGERS = st.recursive(
    st.sampled_from(["id", "state", "type_id", "0", "1", "3", "-2", "create_time_since_epoch", "9", "NULLIF(1, 1)"]),
    lambda inner: st.one_of(
        st.builds("({} {} {})".format, inner, st.sampled_from(["+", "-", "&", "|", "^"]), inner),
        st.builds("({} {} {})".format, inner, st.sampled_from(["<<", ">>"]), st.sampled_from(["0", "1", "7"])),
        st.builds("{}{}".format, st.sampled_from(["- ", "+", "~"]), inner),
        st.builds("MOD({}, {})".format, inner, inner),
        st.builds("{}({}, {})".format, st.sampled_from(["GREATEST", "LEAST", "COALESCE", "NULLIF"]), inner, inner),
        st.builds("IF({} > {}, {}, {})".format, inner, inner, inner, inner),
        st.builds("ABS(SIGN({}))".format, inner),
    ),
    max_leaves=6,
)
STRINGS = st.recursive(
    st.sampled_from(
        ["name", "uri", "external_id", "'d1'", "'D1'", "''", "'1'", "'é'", "r'\\x'", '"%s"', "NULLIF('a', 'a')"]
    ),
    lambda inner: st.one_of(
        st.builds("({} || {})".format, inner, inner),
        st.builds("REPLACE({}, {}, 'x')".format, inner, st.sampled_from(["'d'", "''", "'é'"])),
        st.builds(
            "SUBSTR({}, {}, {})".format, inner, st.sampled_from(["1", "2", "id"]), st.sampled_from(["1", "state"])
        ),
        st.builds("CASE WHEN id > 4 THEN {} ELSE {} END".format, inner, inner),
        st.builds("COALESCE({}, {})".format, inner, inner),
        st.builds("CAST({} AS STRING)".format, INTEGERS),
    ),
    max_leaves=4,
)
COMPARISONS = st.sampled_from(["=", "!=", "<>", "<", "<=", ">", ">="])
NODE_PREDICATES = st.one_of(
    st.sampled_from(
        ["TRUE", "FALSE", "id = 1", "name IS NULL", "state != LIVE", "state NOT IN (LIVE, 1)", "id IN (1, 2)"]
    ),
    st.builds("{} {} {}".format, INTEGERS, COMPARISONS, INTEGERS),
    st.builds("{} {} {}".format, STRINGS, COMPARISONS, STRINGS),
    st.builds("{} IN ({}, {}, 1.5)".format, INTEGERS, INTEGERS, INTEGERS),
    st.builds("{} NOT BETWEEN {} AND {}".format, INTEGERS, INTEGERS, INTEGERS),
    st.builds("{} IS NOT NULL".format, STRINGS),
    st.builds("STARTS_WITH({}, {})".format, STRINGS, STRINGS),
    st.builds("ENDS_WITH({}, {})".format, STRINGS, st.sampled_from(["''", "'1'", "'é'"])),
)
JOINED_PREDICATES = st.sampled_from(
    [
        "properties.span.int_value > 1",
        "custom_properties.n.double_value IS NULL",
        "properties.flag.bool_value",
        "contexts_a.id = 1",
        "contexts_b.type = 'Run'",
        "events_0.type != INPUT",
        "events_0.execution_id = 3",
        "type = 'Model'",
    ]
)


def combined(leaves: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    """Predicates and what AND, OR, NOT and IS make of them."""
    return st.recursive(
        leaves,
        lambda inner: st.one_of(
            st.builds("({} {} {})".format, inner, st.sampled_from(["AND", "OR"]), inner),
            st.builds("NOT ({})".format, inner),
            st.builds("(({}) IS {}TRUE)".format, inner, st.sampled_from(["", "NOT "])),
            st.builds("(({}) = ({}))".format, inner, inner),
        ),
        max_leaves=5,
    )


NODE_FILTERS = combined(NODE_PREDICATES)
FILTERS = combined(st.one_of(NODE_PREDICATES, JOINED_PREDICATES))


def matching(find: Find, text: str) -> set[int] | None:
    """Return what matches, None when a number left its range or a filter has grown too deep."""
    try:
        return set(find(Kind.ARTIFACT, text))
    except InvalidArgument as error:
        assert "left the range" in error.message or "too deeply" in error.message  # noqa: PT017
        return None


@settings(max_examples=500)
@given(KINDS, st.one_of(st.text(max_size=40), SOUP))
def test_any_text_is_a_filter_or_invalid(kind: Kind, text: str) -> None:
    try:
        assert isinstance(parse_filter(kind, text), Filter)
    except InvalidArgument as error:
        assert error.message.startswith("Invalid `filter_query`: ")  # noqa: PT017


@SHARED
@given(KINDS, SOUP)
def test_any_text_that_is_accepted_runs(sqlite_facts: Store, mariadb_facts: Store, kind: Kind, text: str) -> None:
    try:
        parse_filter(kind, text)
    except InvalidArgument:
        return
    for store in (sqlite_facts, mariadb_facts):
        finder(store)(kind, text)


LISTS = st.builds(
    "{} {}IN ({})".format,
    st.sampled_from(["id", "name", "properties.span.int_value"]),
    st.sampled_from(["", "NOT "]),
    st.builds(
        lambda item, length: ", ".join(itertools.repeat(item, length)),
        st.sampled_from(["1", "1.5", "'a'", "'é'", "TRUE", "'a\\0b'"]),
        st.sampled_from([1, 2, 500, 501]),
    ),
)
DIALECTS = {"sqlite": sqlite.dialect(), "mysql": mysql.dialect()}


def told(compiled: Compiled, dialect_name: str) -> tuple[Any, ...]:
    """What a database is told for a filter: the statement, the types of its parameters and their values."""
    node = NODE_TABLES[compiled.form.kind].node
    statement = compiled.form.select(node.c.id).compile(dialect=DIALECTS[dialect_name])
    types = [repr(parameter.type) for parameter in statement.binds.values()]
    return str(statement), types, {**statement.params, **compiled.values}


def shout(text: str) -> str:
    """Text as no database has it."""
    return text.upper()


@settings(max_examples=500)
@given(KINDS, st.one_of(FILTERS, LISTS), st.sampled_from(sorted(DIALECTS)), st.sampled_from([plain, shout]))
def test_a_filter_in_a_shared_form_is_told_as_it_is_alone(
    kind: Kind, text: str, dialect_name: str, encode: Callable[[str], str]
) -> None:
    try:
        shared, alone = (parse_filter(kind, each) for each in (text, text + " " * REMEMBERED_TEXT))
    except InvalidArgument:
        return
    one, other = (compile_filter(query, dialect_name, encode) for query in (shared, alone))
    assert told(one, dialect_name) == told(other, dialect_name)


@SHARED
@given(FILTERS)
def test_databases_agree(sqlite_facts: Store, mariadb_facts: Store, text: str) -> None:
    on_sqlite, on_mariadb = (matching(finder(store), text) for store in (sqlite_facts, mariadb_facts))
    assume(on_mariadb is not None)  # SQLite goes on with a double where a number leaves its range
    assert on_sqlite == on_mariadb


@SHARED
@given(NODE_FILTERS, NODE_FILTERS)
def test_and_or_not_are_those_of_sets(sqlite_facts: Store, one: str, other: str) -> None:
    find = finder(sqlite_facts)
    first, second = matching(find, one), matching(find, other)
    if first is None or second is None:
        return
    assert matching(find, f"({one}) AND ({other})") == first & second
    assert matching(find, f"({one}) OR ({other})") == first | second
    assert matching(find, f"NOT ({one})") == matching(find, f"({one}) IS FALSE")
    assert matching(find, f"({one}) IS NOT TRUE") == ALL - first


@SHARED
@given(FILTERS)
def test_a_filter_means_what_its_negation_denies(sqlite_facts: Store, text: str) -> None:
    find = finder(sqlite_facts)
    if (found := matching(find, text)) is not None:
        assert matching(find, f"NOT NOT ({text})") == found
        assert matching(find, f"(NOT (NOT ({text}))) IS TRUE") == found
        assert matching(find, f"/* ' */ (({text}\n)) -- \"") == found


@pytest.mark.parametrize("alias", ["contexts_a", "events_0"])
def test_a_node_comes_once_however_many_neighbours_it_has(find: Find, alias: str) -> None:
    field = "id" if alias == "contexts_a" else "execution_id"
    found = find(Kind.ARTIFACT, f"{alias}.{field} > 0 OR TRUE")
    assert len(found) == len(set(found))
    assert set(found) < ALL
