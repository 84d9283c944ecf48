"""Every difference that docs/filter.md lists, on both servers, so that neither changes unseen."""

from collections.abc import Iterator

import pytest
from mlmd_schemas.errors import Code
from mlmd_schemas.pb import metadata_store_pb2 as pb
from mlmd_schemas.pb import metadata_store_service_pb2 as service

from tests.differential.comparison import Comparison
from tests.differential.conftest import Pairs
from tests.differential.prelude import prelude
from tests.differential.sides import Side
from tests.differential.source import Call
from tests.metadata_store.calls import node

pytestmark = pytest.mark.reference

Found = list[int] | Code
ALL = [1, 2, 3, 4, 5, 6]
INVALID, INTERNAL = Code.INVALID_ARGUMENT, Code.INTERNAL
LISTS = {"A": "Artifacts", "E": "Executions", "C": "Contexts"}


def more() -> list[Call]:
    """Return artifacts 5 and 6: names in capitals, a line break, and texts that look like a column and a state."""
    artifacts = [
        node(pb.Artifact, custom={"Big": 1, "a+b": 1}, type_id=10, uri="a\nb", name="é", state=pb.Artifact.ABANDONED),
        node(pb.Artifact, type_id=10, uri="gs://b?state=LIVE", name="name", state=pb.Artifact.PENDING),
    ]
    return [Call("PutArtifacts", service.PutArtifactsRequest(artifacts=artifacts))]


@pytest.fixture(scope="module")
def sqlite_pair(sqlite_pairs: Pairs) -> Iterator[Comparison]:
    """Two stores on SQLite; nobody writes to them."""
    with sqlite_pairs() as comparison:
        comparison.run([*prelude(), *more()])
        yield comparison


@pytest.fixture(scope="module")
def maria_pair(utf8_pairs: Pairs) -> Iterator[Comparison]:
    """Two stores on MariaDB; nobody writes to them."""
    with utf8_pairs() as comparison:
        comparison.run([*prelude(), *more()])
        yield comparison


def found(side: Side, filter_query: str, kind: str = "A") -> Found:
    name = LISTS[kind]
    options = pb.ListOperationOptions(max_result_size=100, filter_query=filter_query)
    answer = side.call(f"Get{name}", getattr(service, f"Get{name}Request")(options=options))
    if answer.code is not Code.OK:
        assert answer.code is not None
        return answer.code
    return [one.id for one in getattr(answer.response, name.lower())]


DIFFERENCES: list[tuple[str, Found, Found, Found]] = [
    # the filter, what ours finds on each database, what Google's finds on SQLite and on MariaDB
    ("uri = 'http://x?state=CA'", [], INVALID, INVALID),
    ("uri = 'gs://b?state=LIVE'", [6], [], []),
    ("name = 'name'", [6], [1, 3, 5, 6], [6]),
    (r"uri = 'a\nb'", [5], [], [5]),
    ("custom_properties.Big.int_value = 1", [5], [], []),
    ("custom_properties.Big.int_value = 1 OR custom_properties.big.int_value = 1", [], INVALID, INVALID),
    ("custom_properties.`a+b`.int_value = 1", [5], INVALID, INVALID),
    ('custom_properties.`a"b`.int_value = 1', [], INTERNAL, INTERNAL),
    ('custom_properties.`zz" OR "1"="1`.int_value = 1', [], [2, 5], [2, 5]),
    ("state = 2", [1], INVALID, INVALID),
    ("state IN (2, 3)", [1], INVALID, INVALID),
    ("state <> LIVE", ALL[1:], INVALID, INVALID),
    ("State = LIVE", [1], INVALID, INVALID),
    ("state = ABANDONED", [5], INVALID, INVALID),
    ("state = REFERENCE", [], INVALID, INVALID),
    ("events_0.type = PENDING_OUTPUT", [], INVALID, INVALID),
    ("events_0.type = UNKNOWN", [], INVALID, INVALID),
    ("state = LIVE OR state = LIVE", [1], INVALID, INVALID),
    ("1 + state = LIVE", INVALID, [6], [6]),
    ("state = LIVE + 0", INVALID, [1], [1]),
    ("state != LIVE = TRUE", INVALID, ALL[1:], ALL[1:]),
    ("state NOT IN (LIVE) IS NULL", INVALID, [], []),
    ("contexts_a .id = 1", [1, 2], INVALID, INVALID),
    ("properties.i .int_value = 1", [1], INVALID, INVALID),
    ("properties.i.`int_value` = 1", [1], INVALID, INVALID),
    ("properties.`i`.int_value = properties.i.int_value", [1], INVALID, INVALID),
    ("properties.i.int_value = properties.i.INT_VALUE", INVALID, [1], [1]),
    ("custom_properties.properties.i.int_value = 1", INVALID, [], []),
    ("custom_properties.properties.i.int_value IS NULL", INVALID, [], []),
    ("id BETWEEN CASE WHEN id = 1 AND TRUE THEN 1 ELSE 2 END AND 2", [1, 2], INVALID, INVALID),
    ("SAFE_CAST(1 AS INT64) = id", INVALID, [1], [1]),
    ("`LENGTH`(name) = 1", [1, 3, 5], [1, 3, 5], [1, 3]),
    (r"name > '\v'", [1, 3, 5, 6], [1, 3, 5, 6], [5]),
    ("contexts_a.external_id = 'x'", [1], INVALID, INVALID),
    ("id = 1.0", [1], [1], INTERNAL),
    ("id / 2 = 1", [2], [2], INTERNAL),
    ("id IN (1, NULL)", [1], [1], INTERNAL),
    ("CASE WHEN id = 1 THEN TRUE END", [1], [1], INTERNAL),
    ("id = 9223372036854775808", [], [], INTERNAL),
    ("STARTS_WITH(name, 'n')", [6], INTERNAL, INTERNAL),
    ("name = CONCAT('na', 'me')", [6], INTERNAL, [6]),
    ("REGEXP_CONTAINS(name, 'n')", INVALID, INTERNAL, INTERNAL),
    ("id > 1e309", INVALID, ALL, INTERNAL),
    ("id IN (SELECT 1)", INVALID, [1], [1]),
    ("EXISTS (SELECT 1)", INVALID, ALL, ALL),
    ("CURRENT_TIMESTAMP() IS NOT NULL", INVALID, INTERNAL, ALL),
    ("DATE '2026-01-01' < DATE '2026-01-02'", INVALID, INTERNAL, ALL),
    ("RAND() < 2", INVALID, INTERNAL, ALL),
    ("LENGTH(name) = 1", [1, 3, 5], [1, 3, 5], [1, 3]),
    ("LOWER(name) = 'é'", [5], [5], []),
    ("name < 'É'", [1, 3, 6], [1, 3, 6], [1, 3, 5, 6]),
    ("0.1 + 0.2 = 0.3", [], [], ALL),
    ("COALESCE(id) = 1", [1], INTERNAL, [1]),
    ("SUBSTR(name, 0) = 'a'", [1, 3], [1, 3], []),
    ("~id = -2", [1], [1], []),
    ("-1 | id < 0", ALL, ALL, []),
    ("name LIKE '_'", [1, 3, 5], [1, 3, 5], [1, 3]),
    ("'a' = 'A'", [], [], ALL),
    ("TRIM(name, 'n') = 'ame'", INVALID, [6], INTERNAL),
    ("ROUND(1.0, id) = 1", INVALID, ALL, ALL),
    ("CAST(id AS STRING) > '10'", ALL[1:], [], INTERNAL),
    ("NULLIF(CAST(id AS BOOL), TRUE)", [], ALL[1:], INTERNAL),
    ("CAST(name AS INT64) = 0", INVALID, [1, 3, 5, 6], INTERNAL),
    ("CAST('1' AS INT64) = id", INVALID, [1], [1]),
    ("CAST(0.5 + id AS INT64) = 1", INVALID, [1], INTERNAL),
    ("REPLACE(name, name, 'b') = 'b'", INVALID, [1, 3, 5, 6], [1, 3, 5, 6]),
    ("1 << id = 4", INVALID, [2], [2]),
    ("id << 64 = 0", INVALID, ALL, ALL),
    ("9223372036854775808 << 1 > 0", INVALID, [], INTERNAL),
    ("-1 >> 1 > 0", ALL, [], ALL),
    ("SUBSTR(name, 2) = ''", [1, 3, 5], [1, 3, 5], [1, 3]),
    ("SUBSTR(name, 5, -1) = 'e'", INVALID, [6], []),
    ("SUBSTR(name, 5, 5 - id) = ''", [1, 3, 5, 6], [1, 3, 5], [1, 3, 5, 6]),
    ("SUBSTR(name, 5 - id) = 'e'", [], [6], [6]),
    ("custom_properties.`a\nb`.int_value IS NULL", [], INVALID, INVALID),
    ("id = 1 OR COALESCE(NULL)", [1], INVALID, INVALID),
    ("id = 1 OR CASE WHEN TRUE THEN NULL ELSE NULL END", [1], INVALID, INVALID),
    ("contexts_a.id = 1 AND CONTEXTS_A.id > 0", INVALID, [1, 2], [1, 2]),
    ("contexts_a.id = `contexts_a`.id", INVALID, [1, 2, 3], [1, 2, 3]),
    (" OR ".join(f"id + 0 = {number}" for number in range(3000)), ALL, INTERNAL, ALL),
]
OF_CONTEXTS: list[tuple[str, Found, Found, Found]] = [
    ("artifacts_a.state != LIVE", [1, 3], INVALID, INVALID),
    ("executions_a.last_known_state NOT IN (RUNNING)", [1, 3], INVALID, INVALID),
    ("artifacts_a.external_id = 'x'", [3], INTERNAL, INTERNAL),
    ("parent_contexts_a.create_time_since_epoch > 0", [1], INTERNAL, INTERNAL),
]


@pytest.mark.parametrize(
    ("text", "ours", "on_sqlite", "on_maria", "kind"),
    [(*case, "A") for case in DIFFERENCES] + [(*case, "C") for case in OF_CONTEXTS],
    ids=lambda value: value[:60] if isinstance(value, str) else "",
)
def test_a_filter_that_differs(
    sqlite_pair: Comparison,
    maria_pair: Comparison,
    text: str,
    ours: Found,
    on_sqlite: Found,
    on_maria: Found,
    kind: str,
) -> None:
    asked = {side: found(side, text, kind) for pair in (sqlite_pair, maria_pair) for side in (pair.ours, pair.google)}
    assert list(asked.values()) == [ours, on_sqlite, ours, on_maria]
