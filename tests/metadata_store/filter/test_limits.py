"""Large and deep filters: what has to work works, what does not is refused with the limit's name."""

import sys
from collections.abc import Callable

import pytest
from mlmd_metadata_store.filter import parse_filter
from mlmd_metadata_store.filter.limits import DEEPEST, LONGEST_TEXT, MOST_PARENTHESES, MOST_TABLES, MOST_TERMS
from mlmd_metadata_store.store import Store
from mlmd_schemas.errors import InvalidArgument
from mlmd_schemas.tables.v10 import Kind

from tests.metadata_store.filter.conftest import Find

A = Kind.ARTIFACT


@pytest.fixture(params=["sqlite", "mariadb"])
def facts(request: pytest.FixtureRequest) -> Store:
    """The recorded store on the databases whose bounds differ; MySQL's are MariaDB's."""
    store: Store = request.getfixturevalue(f"{request.param}_facts")
    return store


ALL = [1, 2, 3, 4, 5, 6, 7, 8]


def nested(depth: int, before: str, inside: str, after: str) -> str:
    """Return `inside` wrapped so many times."""
    return before * depth + inside + after * depth


@pytest.mark.parametrize("depth", [300, MOST_PARENTHESES - 10])
def test_parentheses_cost_nothing(find: Find, depth: int) -> None:
    assert find(A, nested(depth, "(", "id = 1", ")")) == [1]
    assert find(A, nested(depth, "NOT ", "id = 1", "")) == [1]
    assert find(A, nested(depth, "(NOT ", "id = 1", ")")) == [1] if depth <= DEEPEST // 3 else True


def test_long_chains(find: Find) -> None:
    assert find(A, " OR ".join(f"id = {n}" for n in range(2, 3002))) == ALL[1:]
    assert find(A, " AND ".join(f"id <> {n}" for n in range(2, 3002))) == [1]
    assert find(A, " OR ".join(f"(id = {n} AND name <> 'x{n}')" for n in range(1, 3000))) == [1, 2, 4, 5, 6, 7, 8]
    assert find(A, " OR ".join(["id = 1 AND uri <> ''"] * 3000)) == [1]


@pytest.mark.parametrize(
    ("make", "ids"),
    [
        (str, [2, 3, 4, 5, 6, 7, 8]),
        (lambda n: f"{n}.0", [2, 3, 4, 5, 6, 7, 8]),
        (lambda n: f"{n}" if n % 2 else "NULL", [3, 5, 7]),
        (lambda n: f"{n}" if n % 2 else f"{n}.5", [3, 5, 7]),
    ],
)
@pytest.mark.parametrize("length", [499, 501, 20_000])
def test_long_lists_of_numbers(find: Find, make: Callable[[int], str], ids: list[int], length: int) -> None:
    assert find(A, f"id IN ({', '.join(make(n) for n in range(2, 2 + length))})") == ids


def test_long_lists_of_strings(find: Find) -> None:
    names = ", ".join(f"'x{n}'" for n in range(20_000))
    assert find(A, f"name IN ({names}, 'd1', '')") == [1, 6]
    assert find(A, f"name NOT IN ({names}, 'd1', '')") == [2, 4, 5, 7, 8]
    assert find(A, f"name IN ({names}, '\\000', 'd1')") == [1]
    assert find(A, f"name NOT IN ({names}, NULL)") == []
    assert find(A, f"state NOT IN (LIVE, {', '.join(map(str, range(10, 20_000)))})") == [2, 3, 4, 5, 6, 7, 8]


def test_a_megabyte(find: Find) -> None:
    assert find(A, f"id = 1 /* {'x' * 1_000_000} */") == [1]
    assert find(A, f"name <> '{'x' * 1_000_000}' AND id = 1") == [1]
    assert find(A, f"id IN ({','.join(map(str, range(3, 150_003)))})") == [3, 4, 5, 6, 7, 8]


NESTS = [
    ("({a} AND {b} OR ", ")"), ("({b} OR {a} AND ", ")"), ("NOT ({a} AND ", ")"), ("(id = 1) = (", ")"),
    ("IF(id = 1, TRUE, ", ")"), ("COALESCE(NULL, ", ")"), ("CASE WHEN {b} THEN FALSE WHEN ", " THEN TRUE END"),
    ("id = 0 + IF(", ", id, 0)"), ("({a} AND ", " AND {b})"), ("TRUE IN (FALSE, ", ")"),
    ("CAST(CAST(", " AS STRING) = 'true' AS BOOL)"), ("(", ") IS TRUE"),
]  # fmt: skip


@pytest.mark.parametrize(("before", "after"), NESTS)
@pytest.mark.parametrize("inside", ["id = 1", "properties.span.int_value + 1 = 2"])
def test_every_nesting_that_is_accepted_runs(find: Find, before: str, after: str, inside: str) -> None:
    parts = {"a": "id > 0", "b": "id < 0"}
    accepted = 0
    for depth in range(1, 2 * DEEPEST):
        text = nested(depth, before.format(**parts), inside, after.format(**parts))
        try:
            parse_filter(A, text)
        except InvalidArgument as error:
            assert str(DEEPEST) in error.message  # noqa: PT017 - the depth where it begins differs by form
            break
        accepted = depth
    assert accepted >= 4
    text = nested(accepted, before.format(**parts), inside, after.format(**parts))
    find(A, text)

    def deeper(frames: int) -> None:
        deeper(frames - 1) if frames else find(A, text)

    deeper(sys.getrecursionlimit() // 4)


@pytest.mark.parametrize("nest", ["(1 + ", "- (0 + ", "(1 * ", "ABS(", "(1 ^ ", "('a' || ", "(id & "])
def test_every_nesting_of_values_that_is_accepted_runs(find: Find, nest: str) -> None:
    leaf, other = ("'a'", "name") if "||" in nest else ("id", "0")
    for depth in range(1, 2 * DEEPEST):
        text = f"{nested(depth, nest, leaf, ')')} <> {other}"
        try:
            parse_filter(A, text)
        except InvalidArgument as error:
            assert "most" in error.message or "more than" in error.message  # noqa: PT017
            break
        find(A, text)


def test_left_handed_chains_of_operators(find: Find) -> None:
    assert find(A, "id" + " + 1" * 40 + " = 41") == [1]
    with pytest.raises(InvalidArgument, match=str(DEEPEST)):
        parse_filter(A, "id" + " + 1" * 100_000 + " = 41")


@pytest.mark.parametrize(
    ("text", "limit"),
    [
        (nested(MOST_PARENTHESES * 2, "(", "id = 1", ")"), MOST_PARENTHESES),
        ("(" * 1_000_000, MOST_PARENTHESES),
        ("- " * 400_000, MOST_PARENTHESES),
        (nested(3_000, "NOT (TRUE AND ", "id = 1", ")"), DEEPEST),
        (nested(1000, "(id = 1 OR (id = 2 AND ", "id = 3", "))"), DEEPEST),
        (nested(200, "UPPER(", "name", ")") + " = ''", DEEPEST),
        (" OR ".join(["id = 1"] * 20_000), MOST_TERMS),
        (f"id IN ({', '.join(['1.5'] * 30_000)})", MOST_TERMS),
        (f"id IN ({', '.join(['id'] * 30_000)})", MOST_TERMS),
        ("CASE" + " WHEN TRUE THEN 1" * 30_000 + " END = 1", MOST_TERMS),
        (" AND ".join(f"properties.p{n}.int_value = {n}" for n in range(MOST_TABLES + 1)), MOST_TABLES),
        (" AND ".join(f"contexts_{n}.id = {n}" for n in range(MOST_TABLES // 2 + 1)), MOST_TABLES),
        (f"id = 1 {' ' * LONGEST_TEXT}", LONGEST_TEXT),
        (f"name LIKE '{'%' * 50_001}'", 50_000),
        (f"COALESCE({', '.join(['id'] * 200)}) = 1", 100),
    ],
    ids=lambda value: str(value)[:30],
)
def test_a_refused_size_names_its_limit(text: str, limit: int) -> None:
    with pytest.raises(InvalidArgument) as refused:
        parse_filter(A, text)
    assert str(limit) in refused.value.message
    assert len(refused.value.message) < 500


@pytest.mark.parametrize("count", [12, MOST_TABLES])
def test_many_properties(find: Find, count: int) -> None:
    names = ["span", "acc", "note", "flag", *(f"p{n}" for n in range(count - 4))]
    assert find(A, " OR ".join(f"properties.{name}.int_value = 1" for name in names)) == []
    assert find(A, " AND ".join(f"properties.{name}.int_value IS NULL" for name in names[1:4])) == [1, 2]


def test_many_aliases(find: Find) -> None:
    assert find(A, " AND ".join(f"contexts_{n}.id > 0" for n in range(6))) == [1, 2, 4, 5]
    assert find(A, " AND ".join(f"contexts_{n}.id = 1" for n in range(MOST_TABLES // 2))) == [1, 2, 4]
