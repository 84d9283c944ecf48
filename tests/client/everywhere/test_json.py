"""What is said of JSON that does not fit, by every protobuf: the same sentences."""

import json
import subprocess
from pathlib import Path

import pytest
from mlmd_api.codec import JSON
from mlmd_schemas.errors import InvalidArgument
from mlmd_schemas.pb.metadata_store_service_pb2 import PutArtifactsRequest

from tests.packaging import wheels
from tests.packaging.environments import EVERYWHERE, environment_of

DOCUMENTS = [
    '{"artifacts":{}}',
    '{"artifacts":[{},5]}',
    '{"artifacts":[null]}',
    '{"artifacts":[{"typeId":"x"}]}',
    '{"artifacts":[{"typeId":1e400}]}',
    '{"artifacts":[{"typeId":true}]}',
    '{"artifacts":[{"uri":5}]}',
    '{"artifacts":[{"uri":"\\ud800"}]}',
    '{"artifacts":[{"state":"ALIVE"}]}',
    '{"artifacts":[{"properties":[]}]}',
    '{"artifacts":[{"properties":{"a":5}}]}',
    '{"artifacts":[{"properties":{"a":{"doubleValue":"x"}}}]}',
    '{"artifacts":[{"propertys":{}}]}',
    '{"options":[1]}',
    "null",
    "[]",
    "5",
]
ASKED = """
import json, sys
from mlmd_api.codec import JSON
from mlmd_schemas.errors import InvalidArgument
from mlmd_schemas.pb.metadata_store_service_pb2 import PutArtifactsRequest
said = []
for document in json.load(sys.stdin):
    try:
        JSON.read(PutArtifactsRequest, document.encode())
    except InvalidArgument as error:
        said.append(error.message)
print(json.dumps(said))
"""


@pytest.mark.parametrize(("protobuf", "python"), EVERYWHERE)
def test_every_protobuf_has_the_same_sentences(protobuf: str, python: str, our_wheel: Path) -> None:
    expected = []
    for document in DOCUMENTS:
        with pytest.raises(InvalidArgument) as refused:
            JSON.read(PutArtifactsRequest, document.encode())
        expected.append(refused.value.message)
    command = [str(environment_of(protobuf, python)), "-c", ASKED]
    answer = subprocess.run(
        command,
        env=wheels.environment(our_wheel),
        input=json.dumps(DOCUMENTS),
        capture_output=True,
        text=True,
        check=True,
    )
    assert json.loads(answer.stdout) == expected
