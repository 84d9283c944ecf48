"""Metrics on every wire: NaN, infinities and 64-bit integers as they are, errors as they are."""

import math
import struct

import pytest
from google.protobuf.message import Message
from mlmd_schemas.errors import Code
from mlmd_schemas.pb import metadata_store_service_pb2 as service
from mlmd_schemas.pb.v1 import metrics_pb2 as v1

from tests.api.conftest import MLMD, Served
from tests.api.wires import WIRES, Outcome, read, say

METRICS = "/mlmd.v1.Metrics/"
ODD = [math.nan, math.inf, -math.inf, 0.1 + 0.2]

pytestmark = pytest.mark.parametrize("wire", WIRES)


@pytest.fixture
def key(served: Served, artifact_type: int) -> v1.MetricKey:
    """The key of a metric of an artifact that is there."""
    request = service.PutArtifactsRequest(artifacts=[{"type_id": artifact_type}])
    put = say("grpc", served.doors, f"{MLMD}PutArtifacts", request)
    artifact_id = service.PutArtifactsResponse.FromString(put.body).artifact_ids[0]
    return v1.MetricKey(owner=v1.MetricOwner(artifact_id=artifact_id), name="loss")


def test_series_and_evaluations(wire: str, served: Served, key: v1.MetricKey) -> None:
    def ask(method: str, request: Message) -> Outcome:
        outcome = say(wire, served.doors, METRICS + method, request)
        assert outcome.code is Code.OK, outcome.message
        return outcome

    data = v1.SeriesData(key=key, steps=[0, 1, 2, 2**62 + 1], values=ODD)
    ask("LogSeries", v1.LogSeriesRequest(series=[data]))
    listed = ask("ListSeriesPoints", v1.ListSeriesPointsRequest(key=key))
    points = read(wire, listed, v1.ListSeriesPointsResponse)
    assert list(points.steps) == [0, 1, 2, 2**62 + 1]
    assert struct.pack("<3d", *points.values[1:]) == struct.pack("<3d", *ODD[1:])
    assert math.isnan(points.values[0])
    curve = v1.CurveCutoffs(label="yes", thresholds=[math.inf, 0.5], true_positives=[1, 2], false_positives=[0, 0])
    ask("LogCurve", v1.LogCurveRequest(key=key, curve=curve))
    found = ask("GetEvaluations", v1.GetEvaluationsRequest(owners=[key.owner], with_cutoffs=True))
    if wire == "connect-json":
        assert b'"NaN"' in found.body
    (evaluation,) = read(wire, found, v1.GetEvaluationsResponse).evaluations
    assert evaluation.curves[0].cutoffs == curve
    assert math.isnan(evaluation.figures["auc"])


def test_what_the_arithmetic_refuses_is_an_invalid_argument(wire: str, served: Served, key: v1.MetricKey) -> None:
    curve = v1.CurveCutoffs(label="yes", thresholds=[math.nan], true_positives=[1], false_positives=[0])
    refused = say(wire, served.doors, f"{METRICS}LogCurve", v1.LogCurveRequest(key=key, curve=curve))
    assert refused.code is Code.INVALID_ARGUMENT
    assert refused.message.startswith("curve: thresholds[0] is NaN")
    nobody = v1.MetricOwner(execution_id=99)
    gone = say(wire, served.doors, f"{METRICS}Compare", v1.CompareRequest(owners=[key.owner, nobody]))
    assert (gone.code, "execution with id 99" in gone.message) == (Code.NOT_FOUND, True)
