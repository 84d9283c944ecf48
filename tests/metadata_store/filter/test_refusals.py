"""What is no filter is refused with the place and the reason."""

import pytest
from mlmd_metadata_store.filter import parse_filter
from mlmd_schemas.errors import InvalidArgument
from mlmd_schemas.tables.v10 import Kind

from tests.metadata_store.filter.conftest import Find

A = Kind.ARTIFACT


@pytest.mark.parametrize(
    ("text", "where", "words"),
    [
        ("foo = 1", "1:1", "`foo` is no column of artifacts"),
        ("custom_properties.param.lr.double_value > 1", "1:27", "found `.`; a name with a dot in it is written"),
        ("custom_properties.param.lr > 1", "1:1", "called `param.lr` is written between backticks, `param.lr`.double_"),
        ("id = 1\n  AND nme = 'x'", "2:7", "`nme` is no column"),
        ("state = live", "1:9", "`live` is none of UNKNOWN, PENDING, LIVE"),
        ("state = `LIVE`", "1:9", "`LIVE` is no column"),
        ("state = 'LIVE'", "1:7", "INT64 with STRING"),
        ("id = NULL", "1:4", "IS NULL"),
        ("NULL = id", "1:6", "IS NULL"),
        ("id + NULL = 1", "1:4", "IS NULL"),
        ("+name = 'x'", "1:1", "+ takes INT64 or FLOAT64, not STRING"),
        ("+TRUE", "1:1", "+ takes INT64 or FLOAT64, not BOOL"),
        ("-name = 'x'", "1:1", "- takes INT64 or FLOAT64, not STRING"),
        ("-TRUE", "1:1", "- takes INT64 or FLOAT64, not BOOL"),
        ("(NULL) * id = 1", "1:8", "IS NULL"),
        ("-NULL = 1", "1:1", "IS NULL"),
        ("~NULL = 1", "1:1", "IS NULL"),
        ("name || NULL = 'a'", "1:6", "IS NULL"),
        ("id & NULL = 1", "1:4", "IS NULL"),
        ("name LIKE NULL", "1:6", "IS NULL"),
        ("NULL NOT LIKE name", "1:6", "IS NULL"),
        ("NOT NULL", "1:1", "IS NULL"),
        ("id", "1:1", "INT64"),
        ("", "1:1", "the end of the filter"),
        (" ", "1:2", "the end of the filter"),
        ("id = @p", "1:6", "parameters"),
        ("id = ?", "1:6", "parameters"),
        ("COUNT(id) = 1", "1:1", "aggregate"),
        ("COUNT(*) = 1", "1:7", "aggregates"),
        ("MAX(id) = 1", "1:1", "aggregate"),
        ("FOO(id) = 1", "1:1", "FOO is no function"),
        ("UPPER(id) = 'x'", "1:1", "takes STRING as argument 1, not INT64"),
        ("UPPER() = 'x'", "1:1", "takes 1 argument, not 0"),
        ("EXISTS(SELECT 1)", "1:1", "subqueries"),
        ("id IN (SELECT 1)", "1:8", "subqueries"),
        ("id IN UNNEST([1])", "1:7", "found `UNNEST`"),
        ("id = 1 AND AND id = 2", "1:12", "found `AND`"),
        ("id = 1)", "1:7", "found `)`"),
        ("id NOT 1", "1:8", "LIKE, IN or BETWEEN"),
        ("id IS 1", "1:7", "NULL, TRUE, FALSE or UNKNOWN"),
        ("id IS TRUE", "1:4", "asks about BOOL"),
        ("NOT id", "1:1", "NOT takes BOOL"),
        ("id AND TRUE", "1:4", "AND takes BOOL"),
        ("~name = 1", "1:1", "~ takes INT64"),
        ("-name = 1", "1:1", "- takes INT64 or FLOAT64"),
        ("-'a' = 1", "1:1", "- takes INT64 or FLOAT64"),
        ("-9223372036854775809 < id", "1:1", "64 bits"),
        ("id IN (1, 9223372036854775808)", "1:4", "9223372036854775808 is no INT64"),
        ("id IN (1, +9223372036854775808)", "1:4", "9223372036854775808 is no INT64"),
        ("9223372036854775808 NOT IN (id)", "1:21", "is no INT64"),
        ("id BETWEEN 1 AND 18446744073709551615", "1:4", "18446744073709551615 is no INT64"),
        ("9223372036854775808 BETWEEN id AND 5", "1:21", "is no INT64"),
        ("id + 9223372036854775808 = 1", "1:4", "is no INT64"),
        ("9223372036854775808 - id = 1", "1:21", "is no INT64"),
        ("id * 9223372036854775808 = 1", "1:4", "is no INT64"),
        ("COALESCE(id, 9223372036854775808) = 1", "1:1", "is no INT64"),
        ("CASE id WHEN 9223372036854775808 THEN TRUE END", "1:1", "is no INT64"),
        ("id = 1e999", "1:6", "larger than a double"),
        ("id = 0x", "1:7", "a space is missing"),
        ("id << id = 1", "1:7", "literal from 0 to 63"),
        ("id << 64 = 1", "1:7", "literal from 0 to 63"),
        ("id >> -1 = 1", "1:7", "literal from 0 to 63"),
        ("id << NULL = 1", "1:7", "literal from 0 to 63"),
        ("id >> NULL = 1", "1:7", "literal from 0 to 63"),
        ("id >> 1.0 = 1", "1:4", ">> takes INT64, not FLOAT64"),
        ("id / 2 & 1 = 1", "1:8", "& takes INT64, not FLOAT64"),
        ("1.5 + id & 1 = 1", "1:10", "& takes INT64, not FLOAT64"),
        ("id + 1.5 & 1 = 1", "1:10", "& takes INT64, not FLOAT64"),
        ("~ -1.5 = 1", "1:1", "~ takes INT64, not FLOAT64"),
        ("id = 1.5.2", "1:9", "found `.2`"),
        ("id = (1, 2)", "1:8", "expected )"),
        ("name = 'a' 'b'", "1:12", "found `'b'`"),
        ("CAST(name AS INT64) = 1", "1:1", "cannot turn STRING into INT64"),
        ("CAST(id AS DATE) = 1", "1:1", "not DATE"),
        ("CASE END", "1:6", "expected a column"),
        ("CASE WHEN id THEN TRUE END", "1:11", "WHEN needs BOOL"),
        ("CASE id WHEN 'a' THEN TRUE END", "1:14", "WHEN needs INT64"),
        ("COALESCE(id, name) = 1", "1:1", "values of one type"),
        ("ENDS_WITH(name, uri)", "1:1", "literal"),
        ("REPLACE(name, uri, 'x') = ''", "1:1", "literal as argument 2"),
        ("REPLACE(name, 'x', NULL) = ''", "1:1", "literal as argument 3"),
        ("SUBSTR(name, 1, -1) = ''", "1:1", "0 or more"),
        ("contexts_ = 1", "1:1", "`contexts_` is no column"),
        ("contexts_.id = 1", "1:1", "is no column"),
        ("contexts_a.foo = 1", "1:1", "`contexts_a` has no field `foo`"),
        ("contexts_a.id = 1 OR contexts_A.id = 2", "1:22", "spell it one way"),
        ("contexts_a = 1", "1:1", "is no column"),
        ("properties.``.int_value = 1", "1:12", "backtick"),
        ("properties.`x.int_value = 1", "1:12", "backtick"),
        ("/* id = 1", "1:1", "comment"),
        ("id = 1 AND name LIKE 'x' ESCAPE '!'", "1:26", "found `ESCAPE`"),
        ("é = 1", "1:1", "no meaning here"),
        ("id\u1680= 1", "1:3", "no meaning here"),
        ("id = 1 -- one\r= 1", "1:15", "found `=`"),
        ("id = $1", "1:6", "no meaning here"),
    ],
)
def test_a_refusal_says_what_and_where(text: str, where: str, words: str) -> None:
    with pytest.raises(InvalidArgument) as refused:
        parse_filter(A, text)
    message = refused.value.message
    assert message.startswith("Invalid `filter_query`: ")
    assert message.endswith(f"[at {where}]")
    assert words in message


@pytest.mark.parametrize(
    "text", ["id * 9223372036854775807 * 9223372036854775807 > 0", "ABS(-9223372036854775808) = id"]
)
def test_numbers_that_leave_their_range_are_no_driver_error(find: Find, text: str) -> None:
    try:
        assert set(find(A, text)) <= set(range(1, 9))
    except InvalidArgument as error:
        assert "left the range" in error.message  # noqa: PT017 - databases differ, and both are right
