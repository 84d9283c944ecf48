"""Properties of every kind as the documents of a graph have them, of which JSON has fewer kinds."""

import json
import math
from typing import Any

import pytest
import sqlalchemy as sa
from google.protobuf import any_pb2, json_format
from mlmd_metadata_store.store import Store
from mlmd_metadata_store.transaction import Transaction
from mlmd_schemas.caller import LOCAL
from mlmd_schemas.pb.v1 import lineage_pb2 as v1
from mlmd_schemas.tables.v10 import ARTIFACT_PROPERTY

from tests.lineage.questions import artifact, execution
from tests.lineage.story import Story
from tests.metadata_store.calls import Calls

DETAIL = {"detail": v1.LINEAGE_DETAIL_PROPERTIES}
STRUCT = {"b": [1.0, 2.5, "x", None, True, {}], "a": -math.inf, "ü": 2.0**53, "n": math.nan}
STRUCT_TEXT = '{"a":"-Infinity","b":[1,2.5,"x",null,true,{}],"n":"NaN","ü":9007199254740992.0}'
GIVEN: dict[str, Any] = {
    "text": "ü",
    "none": "",
    "whole": 2**53 + 1,
    "half": 0.5,
    "most": math.inf,
    "least": -math.inf,
    "nothing": math.nan,
    "yes": True,
    "no": False,
    "struct": STRUCT,
    "packed": any_pb2.Any(type_url="type.googleapis.com/some.Message", value=b"\x08\x01"),
}
EXPECTED: dict[str, Any] = {
    **GIVEN,
    "whole": "9007199254740993",
    "most": "Infinity",
    "least": "-Infinity",
    "nothing": "NaN",
    "struct": json.loads(STRUCT_TEXT),
    "packed": {"@type": "type.googleapis.com/some.Message"},
}


def exported(call: Calls, wanted: Any, node: v1.LineageRef) -> str:
    """Return a document with all properties."""
    return str(call("ExportGraph", node=node, format=wanted, options=DETAIL).content)


@pytest.fixture
def made(story: Story) -> v1.LineageRef:
    """An artifact with a property of every kind."""
    return artifact(story.artifact("T", GIVEN))


def test_in_prov(call: Calls, made: v1.LineageRef) -> None:
    (entity,) = json.loads(exported(call, v1.LINEAGE_FORMAT_PROV_JSON, made))["entity"].values()
    assert {name.removeprefix("mlmd:"): value for name, value in entity.items() if name.startswith("mlmd:")} == EXPECTED


def test_in_openlineage(call: Calls, story: Story) -> None:
    step = execution(story.step(custom=GIVEN))
    lines = exported(call, v1.LINEAGE_FORMAT_OPENLINEAGE, step).splitlines()
    for event in map(json.loads, lines):
        assert event["run"]["facets"]["mlmd_execution"]["properties"] == EXPECTED
    assert len(lines) == 2


def test_in_a_page(call: Calls, made: v1.LineageRef) -> None:
    text = exported(call, v1.LINEAGE_FORMAT_UNSPECIFIED, made)
    (node,) = json_format.Parse(text, v1.LineagePage()).nodes
    values = {name: getattr(value, str(value.WhichOneof("value"))) for name, value in node.properties.items()}
    assert math.isnan(values.pop("nothing"))
    expected = GIVEN | {"struct": STRUCT_TEXT, "packed": '{"@type":"type.googleapis.com/some.Message"}'}
    assert values == {name: value for name, value in expected.items() if name != "nothing"}
    assert {type(value) for name, value in values.items() if name in ("yes", "no")} == {bool}


def test_text_that_is_no_utf8_shows_what_cannot_be_shown(sqlite_url: str) -> None:
    """Other programs write it into a SQLite file."""
    call = Calls(Store.open(sqlite_url))
    made = Story(call).artifact("T", {"p": "text"})

    def spoil(tx: Transaction) -> None:
        odd: sa.ColumnElement[str] = sa.literal_column("CAST(X'61ff62' AS TEXT)")
        tx.execute(sa.update(ARTIFACT_PROPERTY).values(string_value=odd))

    call.store.database.write(LOCAL, spoil)
    (entity,) = json.loads(exported(call, v1.LINEAGE_FORMAT_PROV_JSON, artifact(made)))["entity"].values()
    assert entity["mlmd:p"] == "a\ufffdb"
    call.store.close()
