"""What is said of JSON that is not the message: the field, the value, what belongs there; never Python's words."""

import json
import re
from typing import Any

import pytest
from google.protobuf import json_format
from hypothesis import given
from hypothesis import strategies as st
from mlmd_api.codec import JSON
from mlmd_schemas.errors import InvalidArgument
from mlmd_schemas.pb import metadata_store_service_pb2 as service
from mlmd_schemas.pb.v1 import registry_pb2 as registry

PYTHON = re.compile(r"int\(\)|TypeError|literal|'dict'|iterable|NoneType|Traceback|char \d|acceptable for|Expecting")


def said(kind: Any, text: str) -> str:
    """Return the sentence about a document that is refused."""
    with pytest.raises(InvalidArgument) as refused:
        JSON.read(kind, text.encode())
    return refused.value.message


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ('{"pageSize":"ten"}', 'pageSize: "ten" where an integer from -2147483648 to 2147483647 belongs.'),
        ('{"page_size":1.5}', "page_size: 1.5 where an integer from -2147483648 to 2147483647 belongs."),
        ('{"pageSize":4294967296}', "pageSize: 4294967296 where an integer from -2147483648 to 2147483647 belongs."),
        ('{"pageSize":true}', "pageSize: true where an integer from -2147483648 to 2147483647 belongs."),
        ('{"prefix":5}', "prefix: 5 where a string that UTF-8 can carry belongs."),
        ('{"prefix":"\\ud800"}', 'prefix: "\\ud800" where a string that UTF-8 can carry belongs.'),
        ('{"includeArchived":"yes"}', 'includeArchived: "yes" where true or false belongs.'),
        ('{"pageSise":1}', "request: mlmd.v1.ListModelsRequest has no field \"pageSise\"; did you mean 'pageSize'?"),
        (
            '{"x":1}',
            'request: mlmd.v1.ListModelsRequest has no field "x"; it has includeArchived, prefix, pageSize, pageToken.',
        ),
        ('{"pageSize":', "request: the JSON breaks off, or is none, at line 1, column 13."),
        ('\n{"pageSize":1,}', "request: the JSON breaks off, or is none, at line 2, column 15."),
        ("[]", "request: [] where an object (mlmd.v1.ListModelsRequest) belongs."),
        ("null", "request: null where an object (mlmd.v1.ListModelsRequest) belongs."),
        ('{"pageSize":1,"pageSize":2}', "pageSize: this name stands twice in one object of the JSON; leave one out."),
        ('{"a":' * 5000, "request: the JSON is nested too deep; at most 100 levels are read."),
    ],
)
def test_a_document(text: str, sentence: str) -> None:
    assert said(registry.ListModelsRequest, text) == sentence


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ('{"artifacts":{}}', "artifacts: {} where an array belongs."),
        ('{"artifacts":[{},5]}', "artifacts[1]: 5 where an object (ml_metadata.Artifact) belongs."),
        ('{"artifacts":[{"typeId":"x"}]}', 'artifacts[0].typeId: "x" where an integer from -9223372036854775808 to '),
        ('{"artifacts":[{"state":"ALIVE"}]}', 'artifacts[0].state: "ALIVE" where one of UNKNOWN, PENDING, LIVE, '),
        ('{"artifacts":[{"properties":[]}]}', "artifacts[0].properties: [] where an object belongs."),
        (
            '{"artifacts":[{"properties":{"a b":{"doubleValue":"x"}}}]}',
            'artifacts[0].properties["a b"].doubleValue: "x" where a number belongs.',
        ),
        (
            '{"artifacts":[{"properties":{"a":{"structValue":5}}}]}',
            'artifacts[0].properties["a"].structValue: 5 where a google.protobuf.Struct as protobuf\'s JSON has it',
        ),
    ],
)
def test_within_a_document(text: str, sentence: str) -> None:
    assert said(service.PutArtifactsRequest, text).startswith(sentence)


def test_a_long_value_is_cut() -> None:
    assert len(said(registry.ListModelsRequest, json.dumps({"pageSize": "9" * 10_000}))) < 200


@pytest.mark.parametrize("number", ["9" * 5000, "-" + "9" * 5000, "1e400"])
def test_a_number_that_nobody_holds(number: str) -> None:
    assert said(registry.ListModelsRequest, f'{{"pageSize":{number}}}').startswith("pageSize: ")
    assert said(registry.ListModelsRequest, f'{{"pageSize":[{number}]}}').startswith("pageSize: ")
    assert "stands twice" in said(registry.ListModelsRequest, f'{{"prefix":"a","prefix":"{number}"}}')


def test_much_text_is_not_tried_again() -> None:
    text = json.dumps({"artifacts": [{"typeId": "x", "uri": "u" * 100_000}]})
    assert said(service.PutArtifactsRequest, text) == "request: the JSON is no ml_metadata.PutArtifactsRequest."


@pytest.mark.parametrize("text", ["", "{}", " \n{}", '{"artifacts":null}'])
def test_what_is_nothing_is_an_empty_message(text: str) -> None:
    assert JSON.read(service.PutArtifactsRequest, text.encode()) == service.PutArtifactsRequest()


NAMES = st.sampled_from(
    [
        "artifacts",
        "options",
        "updateMask",
        "uri",
        "typeId",
        "properties",
        "stringValue",
        "intValue",
        "paths",
        "state",
        "x",
    ]
)
DOCUMENTS = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**70), 2**70) | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(NAMES, inner, max_size=3),
    max_leaves=8,
)


@given(st.dictionaries(NAMES, DOCUMENTS, max_size=3) | DOCUMENTS)
def test_what_protobuf_refuses_is_told_in_words(document: Any) -> None:
    text = json.dumps(document)
    try:
        expected = json_format.Parse(text, service.PutArtifactsRequest())
    except (json_format.ParseError, TypeError, AttributeError):  # protobuf 4 stumbles over some
        sentence = said(service.PutArtifactsRequest, text)
        assert not PYTHON.search(sentence)
        assert sentence.endswith((".", "?"))
        return
    if isinstance(document, dict):
        assert JSON.read(service.PutArtifactsRequest, text.encode()) == expected
