"""Questions about lineage on every wire: the same answer, the same error."""

import pytest
from mlmd_schemas.errors import Code
from mlmd_schemas.pb import metadata_store_pb2 as pb
from mlmd_schemas.pb import metadata_store_service_pb2 as service
from mlmd_schemas.pb.v1 import lineage_pb2 as v1

from tests.api.conftest import MLMD, Served
from tests.api.wires import WIRES, read, say
from tests.lineage.questions import edges, nodes

LINEAGE = "/mlmd.v1.Lineage/"

pytestmark = pytest.mark.parametrize("wire", WIRES)


@pytest.fixture
def model(served: Served, artifact_type: int) -> v1.LineageRef:
    """An artifact that an execution made of another artifact."""
    put_type = service.PutExecutionTypeRequest(execution_type=pb.ExecutionType(name="Train"))
    made = say("grpc", served.doors, f"{MLMD}PutExecutionType", put_type)
    type_id = service.PutExecutionTypeResponse.FromString(made.body).type_id
    request = service.PutExecutionRequest(execution=pb.Execution(type_id=type_id, properties={}))
    request.execution.custom_properties["depth"].int_value = 2**62 + 1
    for kind in (pb.Event.INPUT, pb.Event.OUTPUT):
        artifact = pb.Artifact(type_id=artifact_type, uri="s3://bucket/x")
        request.artifact_event_pairs.add(artifact=artifact, event=pb.Event(type=kind))
    put = say("grpc", served.doors, f"{MLMD}PutExecution", request)
    return v1.LineageRef(artifact_id=service.PutExecutionResponse.FromString(put.body).artifact_ids[1])


def test_every_question(wire: str, served: Served, model: v1.LineageRef) -> None:
    asked = say(wire, served.doors, f"{LINEAGE}GetProvenance", v1.GetProvenanceRequest(node=model))
    answer = read(wire, asked, v1.GetProvenanceResponse)
    assert (nodes(answer.graph), edges(answer.graph)) == (["a2", "e1", "a1"], ["a1>e1", "e1>a2"])
    assert answer.parameters[0].parameters["depth"].int_value == 2**62 + 1
    source = answer.data[0]
    assert (source.uri, source.is_origin) == ("s3://bucket/x", True)
    asked = say(wire, served.doors, f"{LINEAGE}GetImpact", v1.GetImpactRequest(node=source.node))
    assert nodes(read(wire, asked, v1.GetImpactResponse).graph) == ["a1", "e1", "a2"]
    asked = say(wire, served.doors, f"{LINEAGE}FindPath", v1.FindPathRequest(first=source.node, second=model))
    assert nodes(read(wire, asked, v1.FindPathResponse).path) == ["a1", "e1", "a2"]
    asked = say(wire, served.doors, f"{LINEAGE}DiffProvenance", v1.DiffProvenanceRequest(first=model, second=model))
    assert read(wire, asked, v1.DiffProvenanceResponse).same_content
    request = v1.ExportGraphRequest(node=model, format=v1.LINEAGE_FORMAT_SVG)
    drawn = read(wire, say(wire, served.doors, f"{LINEAGE}ExportGraph", request), v1.ExportGraphResponse)
    assert (drawn.media_type, drawn.content[:4]) == ("image/svg+xml", "<svg")


def test_wrong_questions(wire: str, served: Served, model: v1.LineageRef) -> None:
    nobody = v1.LineageRef(execution_id=99)
    gone = say(wire, served.doors, f"{LINEAGE}GetImpact", v1.GetImpactRequest(node=nobody))
    assert gone.code is Code.NOT_FOUND
    assert gone.message == "node: there is no execution 99; the store has no event of it either."
    unsaid = say(wire, served.doors, f"{LINEAGE}GetProvenance", v1.GetProvenanceRequest())
    assert unsaid.code is Code.INVALID_ARGUMENT
    assert unsaid.message == "node: names no node; set artifact_id or execution_id."
    options = v1.LineageOptions(ending_executions="typ = 'x'")
    wrong = say(wire, served.doors, f"{LINEAGE}GetImpact", v1.GetImpactRequest(node=model, options=options))
    assert wrong.code is Code.INVALID_ARGUMENT
