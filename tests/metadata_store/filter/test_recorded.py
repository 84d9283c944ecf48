"""All 321 filters that Google's server was asked, and what it answered on SQLite and on MariaDB.

Where this server answers otherwise it does so on purpose, and every such filter is in DIFFERENCES with its reason.
"""

import json
from pathlib import Path
from typing import Any

import pytest
from mlmd_metadata_store.store import Store
from mlmd_schemas.errors import InvalidArgument
from mlmd_schemas.tables.v10 import Kind

from tests.metadata_store.filter.conftest import Find, finder

CASES: list[dict[str, Any]] = json.loads((Path(__file__).parents[2] / "data" / "filter_cases.json").read_text())
REFUSED = "INVALID_ARGUMENT"
Answer = list[int] | str
ALL = [1, 2, 3, 4, 5, 6, 7, 8]

LITERAL = "text in quotes is a value and is never looked at as SQL, as a column or as an enum"
ENUM = "names and numbers of enums are accepted in every comparison and list, as often as wanted"
SPELLING = "columns of enums are columns: any case, backticks and spacing"
EXACT = "property names match as written"
ANY_NAME = "a property may have any name"
FIELD = "a field that the server has is not withheld"
NUMBERS = "numbers mean the same on every database"
NULLS = "NULL in a list is allowed on every database"
FUNCTION = "functions mean the same on every database, or are refused with a sentence"
SUBQUERY = "subqueries are refused with a sentence; they could only ask about constants"

DIFFERENCES: dict[str, tuple[str, Answer]] = {
    "name = 'name'": (LITERAL, []),
    "name = 'uri'": (LITERAL, [8]),
    'uri = "uri"': (LITERAL, [8]),
    "type = 'type'": (LITERAL, []),
    "uri = 'http://x?state=CA'": (LITERAL, []),
    "name = 'state=CA'": (LITERAL, []),
    "name = 'last_known_state=CA'": (LITERAL, []),
    "name = 'events_a.type = foo'": (LITERAL, []),
    "properties.note.string_value = 'string_value'": (LITERAL, []),
    "properties.name.string_value IS NOT NULL": (LITERAL, [7]),
    "custom_properties.name.string_value IS NOT NULL": (LITERAL, []),
    "state = 2": (ENUM, [1]),
    "state <> LIVE": (ENUM, [2, 3, 4, 5, 6, 7, 8]),
    "state IN (12)": (ENUM, []),
    "state IN (2, 3)": (ENUM, [1, 5]),
    "state IN (LIVE, 2)": (ENUM, [1]),
    "state = ABANDONED": (ENUM, [7]),
    "state = REFERENCE": (ENUM, [8]),
    "state = LIVE OR state = LIVE": (ENUM, [1]),
    "state = LIVE OR state != LIVE": (ENUM, ALL),
    "(state = LIVE AND name = 'd1') OR (state = LIVE AND name = 'd2')": (ENUM, [1]),
    "events_0.type = PENDING_OUTPUT": (ENUM, [7]),
    "events_0.type = UNKNOWN": (ENUM, []),
    "events_0.type = 3": (ENUM, [1, 2]),
    "events_0.type = INPUT AND events_1.type = INPUT": (ENUM, [1, 2]),
    "artifacts_a.state != LIVE": (ENUM, [1, 2, 3]),
    "artifacts_a.state = LIVE AND artifacts_b.state = LIVE": (ENUM, [1, 2]),
    "executions_a.last_known_state != RUNNING": (ENUM, [1, 2, 3]),
    "State = LIVE": (SPELLING, [1]),
    "`state` = LIVE": (SPELLING, [1]),
    "state IN(LIVE)": (SPELLING, [1]),
    "contexts_a .id = 1": (SPELLING, [1, 2, 4]),
    "properties.CamelProp.string_value = 'Cc'": (EXACT, [6]),
    "custom_properties.UPPER.int_value = 7": (EXACT, [3]),
    "properties.CamelProp.string_value = 'Cc' OR properties.camelprop.string_value = 'Cc'": (EXACT, []),
    "custom_properties.`a+b`.int_value = 1": (ANY_NAME, [3]),
    'custom_properties.`a"b`.int_value = 1': (ANY_NAME, []),
    "contexts_a.external_id = 'ext-c1'": (FIELD, [1, 2, 4]),
    "artifacts_a.external_id = 'ext-a1'": (FIELD, [1, 2]),
    "executions_a.external_id = 'ext-e1'": (FIELD, [1, 2]),
    "parent_contexts_a.create_time_since_epoch = 1000": (FIELD, [2, 3]),
    "child_contexts_a.last_update_time_since_epoch = 2003": (FIELD, [1, 4]),
    "id = 1.0": (NUMBERS, [1]),
    "id < 2.5": (NUMBERS, [1, 2]),
    "id IN (1, 2.0)": (NUMBERS, [1, 2]),
    "id / 2 = 1": (NUMBERS, [2]),
    "id = 9223372036854775808": (NUMBERS, []),
    "name IN ('d1', NULL)": (NULLS, [1]),
    "name NOT IN ('d1', NULL)": (NULLS, []),
    "name IN (NULL)": (NULLS, []),
    "IF(id = 1, TRUE, FALSE)": (FUNCTION, [1]),
    "name = CONCAT('d','1')": (FUNCTION, [1]),
    "MOD(id, 2) = 1": (FUNCTION, [1, 3, 5, 7]),
    "CAST(id AS STRING) = '1'": (FUNCTION, [1]),
    "STARTS_WITH(name, 'd')": (FUNCTION, [1, 2]),
    "REGEXP_CONTAINS(name, 'd.')": (FUNCTION, REFUSED),
    "STRPOS(name, 'd') = 1": (FUNCTION, REFUSED),
    "GENERATE_UUID() != ''": (FUNCTION, REFUSED),
    "CURRENT_TIMESTAMP() IS NOT NULL": (FUNCTION, REFUSED),
    "id IN (SELECT 1)": (SUBQUERY, REFUSED),
}


def recorded(case: dict[str, Any], store: Store) -> Answer:
    """Return what Google's server answered on this family of databases."""
    answer = case["sqlite" if store.database.dialect.name == "sqlite" else "mysql"]
    return answer["ids"] if answer["code"] == "OK" else str(answer["code"])


def answered(find: Find, case: dict[str, Any]) -> Answer:
    """Return what this server answers."""
    try:
        return find(Kind[case["kind"].upper()], case["filter_query"])
    except InvalidArgument:
        return REFUSED


@pytest.mark.parametrize("case", CASES, ids=lambda case: f"{case['kind'][0]}-{case['filter_query']}"[:80])
def test_every_recorded_filter_answers_as_recorded_or_as_decided(
    case: dict[str, Any], find: Find, facts: Store
) -> None:
    _reason, decided = DIFFERENCES.get(case["filter_query"], ("", recorded(case, facts)))
    assert answered(find, case) == decided


def test_every_difference_is_one(sqlite_facts: Store, mariadb_facts: Store) -> None:
    differing = {
        case["filter_query"]
        for store in (sqlite_facts, mariadb_facts)
        for case in CASES
        if answered(finder(store), case) != recorded(case, store)
    }
    assert differing == set(DIFFERENCES)
