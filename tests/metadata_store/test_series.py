"""Series: exact, idempotent, in few statements, and readable whatever their size."""

import math
import struct
from array import array
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from itertools import pairwise
from typing import Any

import pytest
from google.protobuf import json_format
from hypothesis import given, settings
from hypothesis import strategies as st
from mlmd_metadata_store.series_points import (
    SEGMENT_POINTS,
    Head,
    Points,
    absorbed,
    in_order,
    merged,
    unpacked,
)
from mlmd_metadata_store.store import Store
from mlmd_schemas.caller import LOCAL
from mlmd_schemas.errors import Code
from mlmd_schemas.pb.v1 import metrics_pb2 as v1

from tests.metadata_store.calls import Calls, counted
from tests.metadata_store.measured import artifact, artifacts, execution, key, log, points, series

ODD = [math.nan, math.inf, -math.inf, -0.0, 5e-324, 1.7976931348623157e308, 0.1]


def bits(values: Any) -> list[bytes]:
    return [struct.pack("<d", number) for number in values]


def test_every_double_comes_back_bit_by_bit(call: Calls) -> None:
    (node,) = artifacts(call)
    log(call, series(node, "loss", ODD, times=range(100, 107)))
    found = points(call, node, "loss")
    assert bits(number for _, _, number in found) == bits(ODD)
    assert [(step, ms) for step, ms, _ in found] == [(step, 100 + step) for step in range(7)]
    (sample,) = call("ReadSeries", owners=[artifact(node)]).series
    assert bits(sample.values) == bits(ODD)
    written = json_format.MessageToDict(sample)["values"]
    assert written[:3] == ["NaN", "Infinity", "-Infinity"]


def test_steps_and_times_have_64_bits(call: Calls) -> None:
    (node,) = artifacts(call)
    steps = [-(2**63), -1, 0, 2**63 - 1]
    log(call, series(node, "loss", [1, 2, 3, 4], steps, [2**62, 0, -5, 2**63 - 1]))
    assert points(call, node, "loss", page_size=1) == [
        (-(2**63), 2**62, 1.0),
        (-1, 0, 2.0),
        (0, -5, 3.0),
        (2**63 - 1, 2**63 - 1, 4.0),
    ]


def test_the_same_points_again_change_nothing_and_other_values_replace(call: Calls) -> None:
    (node,) = artifacts(call)
    data = series(node, "loss", [0.5, 0.4, 0.3], times=[7, 8, 9])
    log(call, data)
    log(call, data)
    assert points(call, node, "loss") == [(0, 7, 0.5), (1, 8, 0.4), (2, 9, 0.3)]
    log(call, series(node, "loss", [0.45], [1], [8]))
    log(call, series(node, "loss", [0.35], [1], [99]))
    assert points(call, node, "loss") == [(0, 7, 0.5), (1, 8, 0.45), (1, 99, 0.35), (2, 9, 0.3)]


def test_points_logged_one_by_one_end_up_in_few_segments(call: Calls) -> None:
    (node,) = artifacts(call)
    for step in range(40):
        log(call, series(node, "loss", [float(step)], [step]))
    with call.store.database.reader.connect() as connection:
        (segments,) = connection.exec_driver_sql("SELECT COUNT(*) FROM mlmd_series_segments").one()
    assert segments <= 6
    assert [value for _, _, value in points(call, node, "loss")] == list(map(float, range(40)))


def test_series_of_artifacts_executions_and_slices_are_apart(call: Calls) -> None:
    (node,) = artifacts(call)
    run = v1.MetricOwner(execution_id=execution(call))
    log(
        call,
        series(node, "loss", [1.0]),
        series(node, "loss", [2.0], slice_name="country=DE"),
        series(run, "loss", [3.0, 4.0]),
        series(node, "loss", [5.0], [1]),
    )
    listed = call("ListSeries", owners=[run, artifact(node)]).series
    told = [(one.key.owner.WhichOneof("node"), one.key.slice, one.points, one.last_value) for one in listed]
    assert told == [("execution_id", "", 2, 4.0), ("artifact_id", "", 2, 5.0), ("artifact_id", "country=DE", 1, 2.0)]
    (sliced,) = call("ReadSeries", owners=[artifact(node)], slice="country=DE").series
    assert list(sliced.values) == [2.0]
    assert not call("ReadSeries", owners=[artifact(node)], names=["accuracy"]).series


def test_extremes_the_last_point_and_nan_survive_downsampling(call: Calls) -> None:
    (node,) = artifacts(call)
    values = [1 / (1 + step) for step in range(40_000)]
    values[17_000], values[23_456], values[31_415] = 9.0, -9.0, math.nan
    log(call, series(node, "loss", values))
    (sample,) = call("ReadSeries", owners=[artifact(node)], points=500).series
    kept = dict(zip(sample.steps, sample.values, strict=True))
    assert len(kept) <= 500
    assert sample.total_points == 40_000
    assert kept[17_000] == 9.0
    assert kept[23_456] == -9.0
    assert math.isnan(kept[31_415])
    assert kept[39_999] == values[-1]
    (window,) = call("ReadSeries", owners=[artifact(node)], from_step=16_990, to_step=17_009).series
    assert (list(window.steps), window.total_points) == (list(range(16_990, 17_010)), 20)
    assert points(call, node, "loss", from_step=39_998, page_size=1) == [
        (39_998, 0, values[39_998]),
        (39_999, 0, values[39_999]),
    ]


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"values": []}, "values"),
        ({"steps": [], "values": []}, "at least one point"),
        ({"times_ms": [1]}, "times_ms"),
        ({"key": key(1)}, "name: is empty"),
        ({"key": key(1, " loss")}, "blank"),
        ({"key": key(1, "n" * 256)}, "at most 255"),
        ({"key": v1.MetricKey(name="loss")}, "names no node"),
    ],
)
def test_bad_series(call: Calls, change: dict[str, Any], said: str) -> None:
    artifacts(call)
    good = {"key": key(1, "loss"), "steps": [0, 1], "values": [0.5, 0.4]}
    request = v1.LogSeriesRequest(series=[v1.SeriesData(**{**good, **change})])
    assert call.code("LogSeries", request) is Code.INVALID_ARGUMENT
    assert said in call.message("LogSeries", request)
    assert "series[0]" in call.message("LogSeries", request)


def test_a_node_that_is_not_there(call: Calls) -> None:
    (node,) = artifacts(call)
    assert call.code("LogSeries", series=[series(node, "a", [1]), series(node + 1, "a", [1])]) is Code.NOT_FOUND
    assert not call("ListSeries", owners=[artifact(node)]).series, "nothing of the call was written"
    for method in ("ListSeries", "ReadSeries"):
        assert call.code(method, owners=[artifact(node + 1)]) is Code.NOT_FOUND
        assert call.code(method) is Code.INVALID_ARGUMENT
        assert call.code(method, owners=[artifact(node), artifact(node)]) is Code.INVALID_ARGUMENT
    assert call.code("ListSeriesPoints", key=key(node, "loss")) is Code.NOT_FOUND
    assert call.code("LogScalars", owner=artifact(node + 1), scalars={"a": 1.0}) is Code.NOT_FOUND


def test_bad_reads(call: Calls) -> None:
    (node,) = artifacts(call)
    log(call, series(node, "loss", [1]))
    fields: dict[str, Any]
    for fields in ({"points": 7}, {"points": 100_001}, {"from_step": 2, "to_step": 1}):
        assert call.code("ReadSeries", owners=[artifact(node)], **fields) is Code.INVALID_ARGUMENT
    for fields in ({"page_size": -1}, {"page_size": 1_000_001}, {"page_token": "abc"}):
        assert call.code("ListSeriesPoints", key=key(node, "loss"), **fields) is Code.INVALID_ARGUMENT
    assert call.code("LogScalars", owner=artifact(node)) is Code.INVALID_ARGUMENT


def test_statements_depend_on_neither_series_nor_points(call: Calls) -> None:
    nodes = artifacts(call, 30)
    sent = []
    for some in (nodes[:1], nodes[1:]):
        with counted(call.store) as statements:
            log(call, *(series(node, name, range(50)) for node in some for name in ("loss", "accuracy")))
            log(call, *(series(node, name, [1.0], [50]) for node in some for name in ("loss", "accuracy")))
            call("ReadSeries", owners=map(artifact, some))
            call("ListSeries", owners=map(artifact, some))
        sent.append(len(statements))
    assert sent[0] == sent[1]


def test_writers_of_one_series_lose_nothing(call: Calls) -> None:
    (node,) = artifacts(call)

    def write(writer: int) -> None:
        for turn in range(10):
            step = turn * 4 + writer
            log(call, series(node, "loss", [float(step)], [step]), series(node, f"rank {writer}", [1.0], [turn]))

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(write, range(4)))
    assert points(call, node, "loss") == [(step, 0, float(step)) for step in range(40)]
    listed = call("ListSeries", owners=[artifact(node)]).series
    assert [one.points for one in listed] == [40, 10, 10, 10, 10]


def test_a_call_that_is_repeated_under_its_key_is_done_once(call: Calls) -> None:
    (node,) = artifacts(call)
    again = Calls(call.store, replace(LOCAL, idempotency_key="k"))
    for _ in range(2):
        again("LogSeries", series=[series(node, "loss", [1.0])])
        log(call, series(node, "loss", [2.0]))
    assert points(call, node, "loss") == [(0, 0, 2.0)]
    assert again.code("LogSeries", series=[series(node, "loss", [3.0])]) is Code.ALREADY_EXISTS


def test_scalars_are_the_properties_that_kubeflow_reads(call: Calls) -> None:
    (node,) = artifacts(call)
    call("LogScalars", owner=artifact(node), scalars={"accuracy": 0.93, "loss": math.nan})
    call("LogScalars", owner=artifact(node), scalars={"accuracy": 0.94})
    (stored,) = call("GetArtifactsByID", artifact_ids=[node]).artifacts
    assert stored.custom_properties["accuracy"].double_value == 0.94
    assert math.isnan(stored.custom_properties["loss"].double_value)


@pytest.mark.parametrize("size", [SEGMENT_POINTS - 1, SEGMENT_POINTS, 7_000, 30_000])
def test_pages_smaller_and_larger_than_what_is_kept_together_are_the_whole(call: Calls, size: int) -> None:
    (node,) = artifacts(call)
    count = 2 * SEGMENT_POINTS + 100
    log(call, series(node, "loss", [float(step) for step in range(count)], times=range(count)))
    assert points(call, node, "loss", page_size=size) == [(step, step, float(step)) for step in range(count)]
    inner = {"from_step": 10, "to_step": count - 10, "page_size": size}
    assert [step for step, _, _ in points(call, node, "loss", **inner)] == list(range(10, count - 9))


def test_a_million_points_and_back(tmp_path: Any) -> None:
    store = Store.open(f"sqlite:///{tmp_path}/million.db")
    call = Calls(store, LOCAL)
    (node,) = artifacts(call)
    count = 1_000_000
    values = array("d", (math.sin(step / 1000) for step in range(count)))
    values[123_456] = math.inf
    data = series(node, "loss", values, times=range(1_700_000_000_000, 1_700_000_000_000 + count))
    log(call, data)
    (sample,) = call("ReadSeries", owners=[artifact(node)]).series
    page = call("ListSeriesPoints", key=key(node, "loss"), page_size=count)
    store.close()
    assert sample.total_points == count
    assert 123_456 in sample.steps
    assert array("d", page.values) == values
    assert array("q", page.steps) == array("q", range(count))
    assert not page.next_page_token


@given(
    st.lists(
        st.lists(st.tuples(st.integers(0, 30), st.integers(0, 2), st.floats(allow_nan=False)), min_size=1, max_size=12),
        min_size=1,
        max_size=6,
    )
)
@settings(max_examples=60, deadline=None)
def test_law_merged_runs_are_what_a_dictionary_holds(runs: list[list[tuple[int, int, float]]]) -> None:
    expected: dict[tuple[int, int], float] = {}
    columns = []
    for run in runs:
        expected |= {(step, ms): value for step, ms, value in run}
        steps, times, values = zip(*run, strict=True)
        columns.append(in_order(Points(array("q", steps), array("q", times), array("d", values))))
    found = unpacked(merged(columns).packed())
    assert list(zip(zip(found.steps, found.times, strict=True), found.values, strict=True)) == sorted(expected.items())


@given(st.lists(st.tuples(st.integers(0, 60), st.integers(1, 9)), min_size=1, max_size=40))
@settings(max_examples=60, deadline=None)
def test_law_segments_never_overlap(runs: list[tuple[int, int]]) -> None:
    heads: list[Head] = []
    for number, (start, length) in enumerate(runs):
        fresh = Points(array("q", range(start, start + length)), array("q", [0] * length), array("d", [0.0] * length))
        taken = absorbed(heads, fresh)
        first = min([fresh.first, *(one.first for one in taken)])
        last = max([fresh.last, *(one.last for one in taken)])
        size = length + sum(one.points for one in taken)
        heads = sorted([*(one for one in heads if one not in taken), Head(number, first, last, size)], key=_first)
        assert all(one.last < other.first for one, other in pairwise(heads))


def _first(head: Head) -> tuple[int, int]:
    return head.first
