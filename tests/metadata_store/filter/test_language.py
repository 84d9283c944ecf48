"""What a filter may say beyond the recorded cases."""

import pytest
from mlmd_metadata_store.store import Store
from mlmd_metadata_store.transaction import Transaction
from mlmd_schemas.caller import LOCAL
from mlmd_schemas.errors import InvalidArgument
from mlmd_schemas.pb import metadata_store_pb2 as pb
from mlmd_schemas.tables.v10 import ARTIFACT_PROPERTY, Kind

from tests.metadata_store.calls import Calls
from tests.metadata_store.filter.conftest import Find, finder

A, E, C = Kind.ARTIFACT, Kind.EXECUTION, Kind.CONTEXT

ALL = [1, 2, 3, 4, 5, 6, 7, 8]

NAMED = [1, 2, 4, 5, 6, 7, 8]


@pytest.mark.parametrize(
    ("text", "ids"),
    [
        ("state NOT IN (LIVE, 1)", [3, 4, 5, 6, 7, 8]),
        ("state NOT IN (2, 1)", [4, 5, 6, 7, 8]),
        ("state != 2", [2, 4, 5, 6, 7, 8]),
        ("LIVE != state", [2, 3, 4, 5, 6, 7, 8]),
        ("LIVE = state", [1]),
        ("(state) = LIVE", [1]),
        ("state > LIVE", [4, 5, 7, 8]),
        ("LIVE IN (state, 7)", [1]),
        ("state BETWEEN PENDING AND LIVE", [1, 2]),
        ("state NOT BETWEEN PENDING AND LIVE", [4, 5, 6, 7, 8]),
        ("state = state", [1, 2, 4, 5, 6, 7, 8]),
        ("NOT (state != LIVE)", [1]),
        ("CASE state WHEN LIVE THEN TRUE WHEN PENDING THEN NULL ELSE FALSE END", [1]),
        ("events_0.type <> INPUT AND id < 5", [2, 4]),
        ("events_0.`type` = INPUT", [1, 2]),
        ("events_0.TYPE IN (INPUT, 7)", [1, 2, 7]),
    ],
)
def test_enums_are_named_or_numbered_anywhere(find: Find, text: str, ids: list[int]) -> None:
    assert find(A, text) == ids


@pytest.mark.parametrize(
    ("text", "ids"),
    [
        ("(id = 1) IS UNKNOWN = FALSE", ALL),
        ("(id = 1) IS NOT UNKNOWN IN (TRUE) AND id = 1", [1]),
        ("(state = LIVE) IS UNKNOWN IS NOT UNKNOWN = TRUE", ALL),
        ("NOT (name = 'd1') IS UNKNOWN = FALSE", [3]),
        (r"`\x69d` = 1", [1]),
        (r"contexts_a.`i\144` = 3", [2, 5]),
    ],
)
def test_corners_of_the_grammar_are_googles(find: Find, text: str, ids: list[int]) -> None:
    assert find(A, text) == ids


@pytest.mark.parametrize(
    ("text", "ids"),
    [
        ("id = 9223372036854775807", []),
        ("id = 18446744073709551615", []),
        ("id <> 18446744073709551615", ALL),
        ("id < 9223372036854775808", ALL),
        ("9223372036854775808 > id", ALL),
        ("id > 9223372036854775808", []),
        ("id IN (1, 9223372036854775808, 2.5)", [1]),
        ("9223372036854775808 IN (9223372036854775808)", ALL),
        ("9223372036854775808 * 0.5 > id", ALL),
        ("id > -9223372036854775808", ALL),
        ("- -9223372036854775808 > id", ALL),
        ("- -9223372036854775807 = 9223372036854775807", ALL),
        ("id / 9223372036854775808 < 1", ALL),
        ("id > -0", ALL),
        ("-0 = 0", ALL),
        ("id * 1.5 > 10", [7, 8]),
        ("id / 0 = 1", []),
        ("MOD(id, 0) IS NULL", ALL),
        ("1 / 3 * 3 = 1", ALL),
        ("id IN (1, 2.5, 3.0)", [1, 3]),
        ("id IN (1 + 1, type_id)", [2]),
        ("1e0 = id", [1]),
        (".5 < id AND id < 1.5e0 AND 1. = id", [1]),
        ("id = 1.OR id = 2.AND.5 < id", [1, 2]),
        ("CAST(id AS `FLOAT64`) = 1", [1]),
        ("9007199254740993 = 9007199254740992.0", ALL),
        ("9007199254740992 + id * 0 + 1 = 9007199254740992.0", ALL),
        ("9007199254740993.0 IN (9007199254740993)", ALL),
        ("9007199254740993 BETWEEN 9007199254740992.0 AND 9007199254740992", ALL),
        ("CASE 9007199254740993 - id * 0 WHEN 9007199254740992.0 THEN TRUE END", ALL),
        ("COALESCE(9007199254740993 - id * 0, 1.5) = 9007199254740992.0", ALL),
        ("9223372036854775807 - id * 0 < 9223372036854775807.0", []),
        ("id < 2.5 AND id IN (1.0, 3)", [1]),
        ("- - id = 1", [1]),
        ("-(id) = -1", [1]),
        ("+id = 1", [1]),
        ("id < +18446744073709551615", ALL),
        ("id - -1 = 2", [1]),
        ("7 - 2 - id = 4", [1]),
        ("2 + id * 3 = 5", [1]),
        ("(2 + id) * 3 = 9", [1]),
        ("id = 0X1", [1]),
    ],
)
def test_numbers(find: Find, text: str, ids: list[int]) -> None:
    assert find(A, text) == ids


@pytest.mark.parametrize(
    ("text", "ids"),
    [
        ("id | 1 = 3", [2, 3]),
        ("id ^ 3 = 0", [3]),
        ("-1 ^ id = -2", [1]),
        ("id ^ 1 ^ 2 = 0", [3]),
        ("~id = -2", [1]),
        ("(-1 | id) = -1", ALL),
        ("id << 1 = 4", [2]),
        ("id << 63 < 0", [1, 3, 5, 7]),
        ("id >> 1 = 1", [2, 3]),
        ("-id >> 63 = 1", ALL),
        ("id >> 0 = 1", [1]),
        ("1 | 2 & 0 = id", [1]),
        ("id & 1 << 1 = 2", [2, 3, 6, 7]),
    ],
)
def test_bits_are_those_of_signed_integers(find: Find, text: str, ids: list[int]) -> None:
    assert find(A, text) == ids


@pytest.mark.parametrize(
    ("text", "ids"),
    [
        ("LOWER(name) = 'd1'", [1, 7]),
        ("`LOWER`(name) = 'd1'", [1, 7]),
        ("CHAR_LENGTH('é' || name) = 3", [1, 2, 4, 5, 7]),
        ("SUBSTR(name, -1) = '1'", [1, 4, 5, 7]),
        ("SUBSTR(name, 0, 1) = 'd'", [1, 2]),
        ("SUBSTR(name, id - 1, state) = 'd1'", [1]),
        ("SUBSTR(name, 1, id - 3) = ''", [1, 2, 6]),
        ("REPLACE(name, 'd', 'x') = 'x1'", [1]),
        ("TRIM('  d1 ') = name", [1]),
        ("LTRIM('  d1') || RTRIM('x  ') = CONCAT(name, 'x')", [1]),
        ("ABS(1 - id) = 1", [2]),
        ("SIGN(id - 2) = -1", [1]),
        ("ROUND(id / 3) = 1", [2, 3, 4]),
        ("ROUND(id / 3, 2) = 0.33", [1]),
        ("IFNULL(name, 'zz') = 'zz'", [3]),
        ("NULLIF(name, 'd1') IS NULL", [1, 3]),
        ("COALESCE(name) = 'd1'", [1]),
        ("COALESCE(NULL, state, 9) = 9", [3]),
        ("GREATEST(id, 7, 7.5) = 8", [8]),
        ("LEAST(id, 2) = 1", [1]),
        ("GREATEST(id) = 1", [1]),
        ("IF(state IS NULL, id, 0) = 3", [3]),
        ("CASE WHEN id = 1 THEN 'a' WHEN id = 2 THEN 'b' END = 'b'", [2]),
        ("CASE id WHEN 1 THEN 1.5 ELSE 2 END = 1.5", [1]),
        ("CASE id WHEN 1 THEN 1.5 ELSE 2 END = 2", [2, 3, 4, 5, 6, 7, 8]),
        ("CASE WHEN id = 1 THEN 'a' ELSE 'b' END = 'b'", [2, 3, 4, 5, 6, 7, 8]),
        ("CASE WHEN id = 1 THEN 'a' END IS NULL", [2, 3, 4, 5, 6, 7, 8]),
        ("STARTS_WITH(name, '')", NAMED),
        ("STARTS_WITH(uri, 'gs://')", [1, 2, 3, 5]),
        ("ENDS_WITH(uri, '/1')", [1, 4, 5, 7]),
        ("ENDS_WITH(name, '')", NAMED),
        ("ENDS_WITH(name, 'xxuri')", []),
        ("CAST(id AS FLOAT64) = 1.0", [1]),
        ("CAST(id - 1 AS BOOL)", [2, 3, 4, 5, 6, 7, 8]),
        ("CAST(id = 1 AS INT64) + 1 = 2", [1]),
        ("CAST(id = 1 AS string) = 'true'", [1]),
        ("CAST(state = 2 AS STRING) IS NULL", [3]),
        ("CAST(name AS STRING) = 'd1'", [1]),
        ("CAST(NULL AS BOOL) IS UNKNOWN", ALL),
    ],
)
def test_functions_mean_the_same_on_every_database(find: Find, text: str, ids: list[int]) -> None:
    assert find(A, text) == ids


@pytest.mark.parametrize(
    ("text", "ids"),
    [
        ("NOT NOT id = 1", [1]),
        ("NOT NOT NOT id = 1", [2, 3, 4, 5, 6, 7, 8]),
        ("NOT id = 1 AND id = 2", [2]),
        ("NOT (id = 1 AND id = 2)", ALL),
        ("(id = 1) = (NOT id = 2) AND TRUE", [1, 2]),
        ("(NOT id = 1) = FALSE", [1]),
        ("(state = 2) IS NOT TRUE", [2, 3, 4, 5, 6, 7, 8]),
        ("(state = 2) IS UNKNOWN", [3]),
        ("(state = 2) IS NOT UNKNOWN AND (state = 2) IS FALSE", [2, 4, 5, 6, 7, 8]),
        ("id = 1 OR name = 'd2' OR id = 3 OR id = 5 OR id = 9", [1, 2, 3, 5]),
        ("NOT (state = 2 OR state = PENDING OR state = 4)", [5, 6, 7, 8]),
        ("(state = LIVE OR state = 1 OR state = 4) IS UNKNOWN", [3]),
        ("name = 'd1' OR name = 'd2' OR name = ''", [1, 2, 6]),
        (
            "properties.acc.double_value = 0.5 OR properties.acc.double_value = 1 OR properties.acc.double_value = .95",
            [1, 2],
        ),
        (
            "properties.flag.bool_value = TRUE OR properties.flag.bool_value = FALSE"
            " OR properties.flag.bool_value = TRUE",
            [1, 2],
        ),
        ("NULL AND TRUE", []),
        ("NULL OR id = 1", [1]),
        ("NULL IS NULL", ALL),
        ("NULL IN (1)", []),
        ("TRUE AND TRUE", ALL),
        ("FALSE OR id = 1", [1]),
        ("(TRUE = TRUE) = (id = 1)", [1]),
        ("(name LIKE 'd_') IN (TRUE, NULL) AND id < 7", [1, 2]),
        ("name NOT BETWEEN 'a' AND 'e'", [4, 5, 6, 7, 8]),
        ("properties.flag.bool_value IS FALSE", [2]),
        ("id = 1 -- one\n OR /* two */ id = 2 # three", [1, 2]),
        ("id = 1 -- one\rOR id = 2 # two\r\nOR id = 3", [1, 2, 3]),
        ("id IN\t(1,\n2)", [1, 2]),
        ("id\b=\f1\vOR\xa0id\u2000=\u202f2\u205fOR\u3000id\u200a=3\u2003", [1, 2, 3]),
        ("Id In (1) aNd TRUE", [1]),
    ],
)
def test_logic_is_three_valued(find: Find, text: str, ids: list[int]) -> None:
    assert find(A, text) == ids


@pytest.mark.parametrize(
    ("text", "ids"),
    [
        (r"name = 'd\x31'", [1]),
        (r"name = '\144\u0031'", [1]),
        (r"name = '\U00000064' '1'", None),
        (r"name = r'd\1'", []),
        ('name = """d1"""', [1]),
        (r"properties.note.string_value = 'it\047s'", [2]),
        (r"properties.note.string_value = '''it's'''", [2]),
        ("name = ''''''", [6]),
        (r"name = '\q'", None),
        (r"name = '\uD800'", None),
        (r"name = '\U00110000'", None),
        ("name = 'd\n1'", None),
        ("name = '''d\n1'''", []),
        ("name = Rb'd1'", None),
        ("name = 'd1", None),
        ("name = '%s' OR name = ':p' OR name = '?'", []),
        ("name = '\\0'", None),
        ("name = '\\000d1'", []),
        ("'a\\000b' LIKE 'a\\000%'", ALL),
        ("'a\\000b' LIKE 'a\\000c'", []),
        ("'a\\000b' NOT LIKE 'a\\000c'", ALL),
        ("name = 'd1' OR name = '💥'", [1]),
    ],
)
def test_strings(find: Find, text: str, ids: list[int] | None) -> None:
    if ids is None:
        with pytest.raises(InvalidArgument):
            find(A, text)
    else:
        assert find(A, text) == ids


def test_like_is_the_databases_own(find: Find, facts: Store) -> None:
    ascii_case_counts = facts.database.dialect.name == "mysql"
    assert find(A, "name LIKE 'd%'") == ([1, 2] if ascii_case_counts else [1, 2, 7])
    assert find(A, r"custom_properties.owner.string_value LIKE '100\\%\\_x'") == ([8] if ascii_case_counts else [])


ODD_NAMES = [
    "a'b",
    'a"b',
    "a|b",
    "+*?()[]^$\\",
    "%s %(x)s :y ?",
    "é 💥",
    "select",
    "0",
    "a\nb",
    "x' OR '1'='1",
    "--",
    "SPAN",
]


@pytest.mark.parametrize("name", ODD_NAMES)
def test_a_property_may_have_any_name(find: Find, facts: Store, name: str) -> None:
    columns = ("artifact_id", "name", "is_custom_property", "int_value")

    def add(tx: Transaction) -> None:
        tx.insert(ARTIFACT_PROPERTY, columns, [(2, name, 1, 77)])

    def remove(tx: Transaction) -> None:
        tx.execute(ARTIFACT_PROPERTY.delete().where(ARTIFACT_PROPERTY.c.int_value == 77))

    facts.database.write(LOCAL, add)
    try:
        assert find(A, f"custom_properties.`{name}`.int_value = 77") == [2]
        assert find(A, f"custom_properties.`{name}`.int_value <> 77") == []
        assert find(A, f"properties.`{name}`.int_value = 77") == []
    finally:
        facts.database.write(LOCAL, remove)


@pytest.mark.parametrize(
    ("text", "ids"),
    [
        ("properties.span.int_VALUE = 1", [1]),
        ("properties.span.int_Value = 1 AND properties.span.int_value = 1", [1]),
        ("properties.acc.double_vALUE > 0.9", [2]),
        ("custom_properties.`my param`.string_VALUE = 'x y'", [3]),
        ("properties.flag.bool_Value", [1]),
        ("properties.span.INT_value = 1", None),
        ("properties.span.int_VALUES = 1", None),
        ("properties.span.int__VALUE = 1", None),
        ("properties.span.intVALUE = 1", None),
        ("properties.st.struct_VALUE IS NULL", None),
    ],
)
def test_after_its_kind_a_propertys_field_is_in_any_case(find: Find, text: str, ids: list[int] | None) -> None:
    if ids is None:
        with pytest.raises(InvalidArgument, match="a property has no field"):
            find(A, text)
    else:
        assert find(A, text) == ids


@pytest.mark.parametrize(
    ("kind", "text", "ids"),
    [
        (A, "properties.span.int_value = 1 OR properties.`span`.int_value = 2", [1, 2]),
        (A, "properties . span . int_value = 1", [1]),
        (A, "properties.0.int_value = 1 OR properties.1e5.int_value = 1", []),
        (A, "properties.and.int_value = 1", []),
        (A, "contexts_a.id = 1 AND contexts_a.ID = 1", [1, 2, 4]),
        (A, "contexts_a.id = 3 OR contexts_a.id = 1", [1, 2, 4, 5]),
        (A, "contexts_a.id = 2 AND contexts_b.id = contexts_a.id", [1, 4]),
        (A, "events_0.execution_id = 2 AND events_0.type = INPUT", [1, 2]),
        (A, "events_0.execution_id = 2", [1, 2, 5]),
        (A, "contexts_a.type = type", []),
        (A, "contexts_x_1.type IN ('Pipeline') AND type = 'Model'", [4]),
        (E, "contexts_a.external_id = 'ext-c1' AND properties.lr.double_value > 0", [1, 2]),
        (E, "events_0.artifact_id IN (1, 2)", [1, 2, 3]),
        (C, "parent_contexts_a.external_id = 'ext-c1'", [2, 3]),
        (C, "child_contexts_a.create_time_since_epoch = 1000", [1, 4]),
        (C, "child_contexts_a.id = 3", [1, 4]),
        (C, "parent_contexts_a.id = 1 AND parent_contexts_a.type = 'Pipeline'", [2, 3]),
        (C, "artifacts_a.uri = 'gs://b/1' AND artifacts_a.type = 'Model'", [3]),
        (C, "artifacts_a.state NOT IN (LIVE, PENDING)", [1, 2, 3]),
        (C, "executions_a.last_known_state != COMPLETE AND executions_a.name IS NULL", [3]),
    ],
)
def test_neighbours_and_properties(find: Find, kind: Kind, text: str, ids: list[int]) -> None:
    assert find(kind, text) == ids


def test_a_struct_is_a_text_to_a_filter(store: Store) -> None:
    call, find = Calls(store), finder(store)
    types = call("PutArtifactType", artifact_type=pb.ArtifactType(name="Data"))
    node = pb.Artifact(type_id=types.type_id)
    node.custom_properties["about"].struct_value.update({"rows": 3})
    (node_id,) = call("PutArtifacts", artifacts=[node]).artifact_ids
    assert find(A, "custom_properties.about.string_value LIKE 'mlmd-struct::%'") == [node_id]
    assert find(A, "custom_properties.about.int_value IS NULL") == [node_id]
