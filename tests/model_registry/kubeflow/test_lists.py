"""Laws of lists: pages are the whole, and a filterQuery finds what a plain filter does."""

import operator
import re
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import pytest
import sqlalchemy as sa
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from mlmd_metadata_store.store import Store
from mlmd_model_registry.kubeflow.filters import _python_test
from mlmd_model_registry.kubeflow.language import Comparison, Name
from mlmd_schemas.caller import LOCAL
from mlmd_schemas.errors import InvalidArgument
from mlmd_schemas.tables.v10 import CONTEXT

from tests.model_registry.kubeflow.direct import Direct

SHARED = settings(
    deadline=None, max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow]
)
COUNT = 24
TEXTS = ["a", "A", "ab", "a%b", "a_b", "it's", 'q"q', "é", "back\\slash", "", "[a]*?"]
INTEGERS = [-3, 0, 1, 2, 2**31 - 1]
DOUBLES = [-0.5, 0.0, 1.0, 1.5, 1e300]


def custom(case: str, value: Any) -> dict[str, Any]:
    kind = {"string_value": "String", "int_value": "Int", "double_value": "Double", "bool_value": "Bool"}[case]
    return {"metadataType": f"Metadata{kind}Value", case: str(value) if case == "int_value" else value}


def version(number: int) -> dict[str, Any]:
    """Return a version with this or that property, and none of some."""
    properties: dict[str, Any] = {}
    if number % 2:
        properties["text"] = custom("string_value", TEXTS[number % len(TEXTS)])
    if number % 3:
        properties["count"] = custom("int_value", INTEGERS[number % len(INTEGERS)])
    if number % 4:
        properties["my key`"] = custom("double_value", DOUBLES[number % len(DOUBLES)])
    if number % 5:
        properties["flag"] = custom("bool_value", bool(number % 2))
    if number % 7:  # one name, several kinds
        case = ("string_value", "int_value", "double_value")[number % 3]
        values: Sequence[object] = (TEXTS, INTEGERS, DOUBLES)[number % 3]
        properties["mixed"] = custom(case, values[number % len(values)])
    made = {"name": f"{number:02}:{TEXTS[number % len(TEXTS)]}", "customProperties": properties}
    made["state"] = "ARCHIVED" if number % 4 == 3 else "LIVE"
    if number % 3 == 1:
        made["author"] = TEXTS[(number * 7) % len(TEXTS)]
    if number % 6 == 1:
        made["externalId"] = f"e{number}"
    return made


@pytest.fixture
def kubeflow(database_url: str) -> Iterator[Direct]:
    store = Store.open(database_url)
    calls = Direct(store)
    model = calls("createRegisteredModel", body={"name": "m"})
    for number in range(COUNT):
        calls("createRegisteredModelVersion", model["id"], version(number))
    calls("createRegisteredModel", body={"name": "other"})
    yield calls
    store.close()


@pytest.fixture
def empty(sqlite_url: str) -> Iterator[Direct]:
    store = Store.open(sqlite_url)
    yield Direct(store)
    store.close()


@SHARED
@given(
    size=st.integers(1, COUNT + 2),
    order=st.sampled_from(["ID", "CREATE_TIME", "LAST_UPDATE_TIME", ""]),
    direction=st.sampled_from(["ASC", "DESC", ""]),
    query=st.sampled_from(["", "state = 'LIVE'", "count > 0 OR text = 'a'", "flag = true"]),
    times=st.lists(st.integers(1, 4), min_size=COUNT, max_size=COUNT),
)
def test_pages_are_the_whole(
    kubeflow: Direct, size: int, order: str, direction: str, query: str, times: list[int]
) -> None:
    set_times(kubeflow.store, times)
    asked = {"filterQuery": query}
    if order:
        asked["orderBy"] = order
    if direction:
        asked["sortOrder"] = direction
    whole = kubeflow.names("getRegisteredModelVersions", "1", **asked)
    assert kubeflow.names("getRegisteredModelVersions", "1", **asked, pageSize=str(size)) == whole
    items = kubeflow("getRegisteredModelVersions", "1", **asked)["items"]
    key = {"CREATE_TIME": "createTimeSinceEpoch", "LAST_UPDATE_TIME": "lastUpdateTimeSinceEpoch"}.get(order, "id")
    ordered = sorted(items, key=lambda item: (int(item[key]), int(item["id"])), reverse=direction == "DESC")
    assert items == ordered
    unordered = kubeflow.names("getRegisteredModelVersions", "1", filterQuery=query)
    assert sorted(whole) == sorted(unordered)


def set_times(store: Store, times: list[int]) -> None:
    """Give the versions times with ties."""
    chosen = sa.case(*((CONTEXT.c.id == number + 2, time) for number, time in enumerate(times)), else_=9)
    change = sa.update(CONTEXT).values(create_time_since_epoch=chosen, last_update_time_since_epoch=10 - chosen)
    store.database.write(LOCAL, lambda tx: tx.execute(change))


# A filter is a text and what it means in Python, of which None is "not there".

Meaning = Callable[[dict[str, Any]], bool]
COMPARE: dict[str, Callable[[Any, Any], bool]] = {
    "=": operator.eq,
    "!=": operator.ne,
    "<>": operator.ne,
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
}


def quoted(text: str, quote: str) -> str:
    return quote + text.replace(quote, quote * 2) + quote


def like(pattern: str, *, fold: bool) -> Callable[[str], bool]:
    parts = []
    letters = iter(pattern)
    for letter in letters:
        parts.append({"%": ".*", "_": "."}.get(letter) or re.escape(next(letters) if letter == "\\" else letter))
    expression = re.compile("".join(parts), re.DOTALL | (re.IGNORECASE if fold else 0))
    return lambda text: expression.fullmatch(text) is not None


def field(name: str) -> Callable[[dict[str, Any]], Any]:
    return lambda item: item.get(name)


def property_of(name: str, *cases: str) -> Callable[[dict[str, Any]], Any]:
    def read(item: dict[str, Any]) -> Any:
        stored = item["customProperties"].get(name, {})
        for case in cases:
            if case in stored:
                return int(stored[case]) if case == "int_value" else stored[case]
        return None

    return read


TEXT_NAMES = {
    "name": field("name"),
    "author": field("author"),
    "externalId": field("externalId"),
    "state": field("state"),
    "text": property_of("text", "string_value"),
    "text.string_value": property_of("text", "string_value"),
    "`text`": property_of("text", "string_value"),
    "mixed": property_of("mixed", "string_value"),
    "nowhere": property_of("nowhere", "string_value"),
}
NUMBER_NAMES = {
    "count": property_of("count", "int_value", "double_value"),
    "count.int_value": property_of("count", "int_value"),
    "`my key```": property_of("my key`", "int_value", "double_value"),
    "`my key```.double_value": property_of("my key`", "double_value"),
    "mixed": property_of("mixed", "int_value", "double_value"),
    "mixed.int_value": property_of("mixed", "int_value"),
    "nowhere.double_value": property_of("nowhere", "double_value"),
}
NAMES = st.sampled_from([*TEXTS, *(f"{number:02}:{TEXTS[number % len(TEXTS)]}" for number in range(6)), "LIVE"])
PATTERNS = st.sampled_from(["%", "a%", "A_", "_", "%\\%%", "%\\_%", "é", "%'%", "[a]*?", "%\\\\%", "0_:%", "%b", ""])
NUMBERS = st.sampled_from([*INTEGERS, *DOUBLES, 2])


def meant(read: Callable[[dict[str, Any]], Any], test: Callable[[Any], bool]) -> Meaning:
    def holds(item: dict[str, Any]) -> bool:
        value = read(item)
        return value is not None and test(value)

    return holds


@st.composite
def comparisons(draw: Any) -> tuple[str, Meaning]:
    """Draw one comparison."""
    form = draw(st.sampled_from(["text", "like", "in", "number", "numbers", "flag", "id"]))
    compare = draw(st.sampled_from(list(COMPARE)))
    if form == "flag":
        truth, sign = draw(st.booleans()), draw(st.sampled_from(["=", "!=", "<>"]))
        read = property_of("flag", "bool_value")
        return f"flag {sign} {str(truth).lower()}", meant(read, lambda value: COMPARE[sign](value, truth))
    if form == "id":
        number, sign = draw(st.integers(1, COUNT + 3)), draw(st.sampled_from(["", "'"]))
        test = COMPARE[compare]
        return f"id {compare} {sign}{number}{sign}", lambda item: test(int(item["id"]), number)
    if form in ("number", "numbers"):
        name = draw(st.sampled_from(list(NUMBER_NAMES)))
        if form == "numbers":
            chosen = draw(st.lists(NUMBERS, min_size=1, max_size=4))
            return f"{name} in ({', '.join(map(repr, chosen))})", meant(NUMBER_NAMES[name], lambda v: v in chosen)
        number = draw(NUMBERS)
        return f"{name}{compare}{number!r}", meant(NUMBER_NAMES[name], lambda v: COMPARE[compare](v, number))
    name, quote = draw(st.sampled_from(list(TEXT_NAMES))), draw(st.sampled_from(["'", '"']))
    if form == "like":
        fold, pattern = draw(st.booleans()), draw(PATTERNS)
        word = "ILIKE" if fold else "like"
        return f"{name} {word} {quoted(pattern, quote)}", meant(TEXT_NAMES[name], like(pattern, fold=fold))
    if form == "in":
        texts = draw(st.lists(NAMES, min_size=1, max_size=4))
        listed = ", ".join(quoted(text, quote) for text in texts)
        return f"{name} IN ({listed})", meant(TEXT_NAMES[name], lambda value: value in texts)
    text = draw(NAMES)
    test = COMPARE[compare]
    return f"{name} {compare} {quoted(text, quote)}", meant(TEXT_NAMES[name], lambda value: bool(test(value, text)))


def joined(inner: Any) -> Any:
    return st.tuples(st.sampled_from(["AND", "or"]), st.lists(inner, min_size=2, max_size=4)).map(
        lambda drawn: (
            "(" + f" {drawn[0]} ".join(text for text, _ in drawn[1]) + ")",
            lambda item: (all if drawn[0] == "AND" else any)(holds(item) for _, holds in drawn[1]),
        )
    )


FILTERS = st.recursive(comparisons(), joined, max_leaves=6)


@settings(SHARED, max_examples=250)
@given(drawn=FILTERS)
def test_a_filter_query_finds_what_a_plain_filter_finds(kubeflow: Direct, drawn: tuple[str, Meaning]) -> None:
    text, holds = drawn
    everything = kubeflow("getRegisteredModelVersions", "1")["items"]
    wanted = [item["name"] for item in everything if holds(item)]
    assert kubeflow.names("getRegisteredModelVersions", "1", filterQuery=text) == wanted


@settings(SHARED, max_examples=200)
@given(text=st.text(st.sampled_from("abn1.' \"`()=<>!,%\\-\n") | st.characters(), max_size=30))
def test_any_text_is_a_filter_or_refused(kubeflow: Direct, text: str) -> None:
    refused = ""
    try:
        kubeflow("getModelVersions", filterQuery=text)
    except InvalidArgument as error:
        refused = error.message
    assert not refused or refused.startswith("Invalid filterQuery: ")


@pytest.mark.parametrize(
    ("pattern", "found"), [("%" * 300 + "x", False), ("%_" * 4 + "%", True), ("l%v_", True), ("L%", False), ("", False)]
)
def test_a_state_is_compared_with_any_pattern_at_once(pattern: str, found: bool) -> None:
    """A pattern of many wildcards once kept the whole process busy for days."""
    assert _python_test(Comparison(0, Name(0, "state"), "LIKE", (pattern,)))("live") is found
    assert _python_test(Comparison(0, Name(0, "state"), "ILIKE", (pattern.upper(),)))("live") is (
        found or pattern == "L%"
    )


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("name", "ends where a comparison belongs"),
        ("name =", "ends where a literal belongs"),
        ("name = 'x", "does not belong here"),
        ("name = x", "a string in quotes"),
        ("= 'x'", "a name belongs here"),
        ("name = 'x' name = 'y'", "AND, OR or the end"),
        ("(name = 'x'", "`)` belongs here"),
        ("name IN 'x'", "`(` belongs here"),
        ("name IN ()", "a string in quotes"),
        ("p IN ('x', 1)", "of one kind"),
        ("NOT name = 'x'", "one of ="),
        ("name = 'x' AND", "ends where a name belongs"),
        ("name = 5", "cannot be compared"),
        ("id = 'x'", "cannot be compared"),
        ("id LIKE '1'", "compares text"),
        ("flag > true", "compared with = and !="),
        ("state = 5", "cannot be compared"),
        ("name LIKE 'x\\'", "does not belong here"),
        ("`a b`.other = 1", "none of string_value"),
        ("count = 99999999999999999999", "too large"),
        ("(" * 100 + "name = 'x'" + ")" * 100, "nested"),
        (" OR ".join(f"p{number} = 1" for number in range(60)), "too many"),
    ],
)
def test_a_wrong_filter_says_where(empty: Direct, text: str, says: str) -> None:
    with pytest.raises(InvalidArgument) as raised:
        empty("getModelVersions", filterQuery=text)
    assert says in raised.value.message
    assert re.search(r"\[at \d+:\d+\]$", raised.value.message)


@pytest.mark.parametrize(
    "query",
    [
        {"pageSize": "0"},
        {"pageSize": "-1"},
        {"pageSize": "1000000000"},
        {"pageSize": "ten"},
        {"orderBy": "NAME"},
        {"sortOrder": "asc"},
        {"nextPageToken": "x"},
        {"nextPageToken": "bm9uZQ=="},
        {"nextPageToken": "é"},
        {"nextPageToken": "OTk5OTk5OTk5OTk5OTk5OTk5OTox"},
        {"artifactType": "nonsense"},
    ],
)
def test_wrong_parameters_of_a_list(empty: Direct, query: dict[str, str]) -> None:
    operation = "getArtifacts" if "artifactType" in query else "getModelVersions"
    with pytest.raises(InvalidArgument) as raised:
        empty(operation, **query)
    assert raised.value.message.startswith(f"{next(iter(query))}: ")


@pytest.mark.parametrize("step", [-(2**63), 2**63 - 1])
def test_the_farthest_integers_can_be_filtered_by(kubeflow: Direct, step: int) -> None:
    said = {"name": "far", "artifactType": "metric", "value": 1, "step": step}
    kubeflow("createArtifact", body=said)
    kubeflow("createArtifact", body={**said, "name": "near", "step": 0})
    assert kubeflow.names("getArtifacts", filterQuery=f"step = {step}") == ["far"]
    with pytest.raises(InvalidArgument, match="too large"):
        kubeflow("getArtifacts", filterQuery=f"step = {step + (1 if step > 0 else -1)}")


def test_the_token_is_base64_of_id_and_key(kubeflow: Direct) -> None:
    page = kubeflow("getModelVersions", pageSize="2")
    assert (page["size"], page["pageSize"], page["nextPageToken"]) == (2, 2, "Mzoz")


@pytest.mark.parametrize("lists", [("getModelVersions", ""), ("getRegisteredModelVersions", "1")])
def test_a_list_takes_as_many_statements_however_long_it_is(kubeflow: Direct, lists: tuple[str, str]) -> None:
    seen: list[str] = []
    counts = []
    for size in ("1", "20"):
        kubeflow.store.database.reader.dispose()  # what connections remember is not counted
        kubeflow.store.database.watch = seen.append
        kubeflow(*lists, pageSize=size, filterQuery="text != 'x' OR count > 0 OR state = 'LIVE'")
        kubeflow.store.database.watch = None
        counts.append(len(seen))
        seen.clear()
    assert counts[0] == counts[1] <= 6
