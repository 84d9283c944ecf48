"""The log: one line a call, for people and for machines."""

import json
import logging
from datetime import datetime

import pytest
from mlmd_api.call import Call
from mlmd_api.callers import Identity
from mlmd_api.journal import HumanFormatter, Journal, JsonFormatter
from mlmd_api.streaming import Answer
from mlmd_metadata_store.store import Store
from mlmd_schemas.errors import Code, Internal, Unavailable

from tests.metadata_store.calls import Calls

CALL = Call("/a.B/C", b"12345", {"authorization": "Bearer very-secret"}, "grpc", None, "ipv4:1.2.3.4:5")
ALICE = Identity("alice", "vision", frozenset())


def _record(caplog: pytest.LogCaptureFixture, answer: Answer, error: Exception | None = None) -> logging.LogRecord:
    with caplog.at_level(logging.INFO, "mlmd.calls"):
        Journal().note(CALL, ALICE, answer, 0.0123456, error)
    (record,) = caplog.records
    return record


def test_a_json_line_has_all_of_it(caplog: pytest.LogCaptureFixture) -> None:
    line = JsonFormatter().format(_record(caplog, Answer(Code.OK, "", b"123", "r1")))
    said = json.loads(line)
    assert "\n" not in line
    assert datetime.fromisoformat(said.pop("time")).utcoffset() is not None
    assert said == {
        "level": "info",
        "request_id": "r1",
        "wire": "grpc",
        "method": "/a.B/C",
        "code": "OK",
        "ms": 12.346,
        "subject": "alice",
        "tenant": "vision",
        "peer": "ipv4:1.2.3.4:5",
        "request_bytes": 5,
        "response_bytes": 3,
    }


def test_a_human_line_has_it_too_and_no_line_breaks_from_outside(caplog: pytest.LogCaptureFixture) -> None:
    line = HumanFormatter().format(_record(caplog, Answer(Code.NOT_FOUND, "no\nsuch thing", b"", "r2")))
    assert "\n" not in line
    assert "r2 grpc /a.B/C NOT_FOUND 12.3ms alice@vision ipv4:1.2.3.4:5 5B->0B 'no\\nsuch thing'" in line


@pytest.mark.parametrize(
    "path", ["/a\n2026-11-26T19:00:00.000Z INFO forged/x", "/a\x1b[31m/x", "/" + "a" * 100_000 + "/x"]
)
def test_a_path_that_nobody_serves_cannot_forge_the_log(caplog: pytest.LogCaptureFixture, path: str) -> None:
    with caplog.at_level(logging.INFO, "mlmd.calls"):
        Journal().note(Call(path, b"", {}, "connect-json"), ALICE, Answer(Code.UNIMPLEMENTED, "", b"", "r"), 0.0, None)
    line = HumanFormatter().format(caplog.records[0])
    assert line.isprintable()
    assert len(line) < 500


def test_a_bug_is_an_error_with_its_traceback(caplog: pytest.LogCaptureFixture) -> None:
    try:
        raise ZeroDivisionError("by nothing")
    except ZeroDivisionError as error:
        record = _record(caplog, Answer(Code.INTERNAL, "internal error (request id r3)", b"", "r3"), error)
    assert record.levelno == logging.ERROR
    assert "ZeroDivisionError: by nothing" in json.loads(JsonFormatter().format(record))["cause"]
    assert "Traceback" in HumanFormatter().format(record)


def test_a_lack_of_memory_is_an_error_for_the_operator(caplog: pytest.LogCaptureFixture) -> None:
    record = _record(caplog, Answer(Code.RESOURCE_EXHAUSTED, "no memory", b"", "r3"), MemoryError("where"))
    assert record.levelno == logging.ERROR
    assert "MemoryError: where" in json.loads(JsonFormatter().format(record))["cause"]


def test_what_lies_behind_an_error_of_ours_is_logged(caplog: pytest.LogCaptureFixture) -> None:
    try:
        try:
            raise OSError("driver says 2006")
        except OSError as driver:
            raise Unavailable("The database cannot be reached.") from driver
    except Unavailable as error:
        record = _record(caplog, Answer(Code.UNAVAILABLE, error.message, b"", "r4"), error)
    cause = json.loads(JsonFormatter().format(record))["cause"]
    assert cause == "mlmd_schemas.errors.Unavailable: The database cannot be reached. <- OSError: driver says 2006"
    assert len(HumanFormatter().format(record).splitlines()) == 2, "an outage does not fill the disk with tracebacks"


def test_a_callers_slip_that_the_contract_calls_internal_has_no_traceback(
    caplog: pytest.LogCaptureFixture, sqlite_url: str
) -> None:
    store = Store.open(sqlite_url)
    call = Calls(store)
    taken = [{"type_id": 1, "external_id": "a"}, {"type_id": 1, "external_id": "b"}]
    call("PutArtifacts", artifacts=taken)
    with pytest.raises(Internal) as raised:
        call("PutArtifacts", artifacts=[{"id": 2, "external_id": "a"}])
    store.close()
    record = _record(caplog, Answer(Code.INTERNAL, raised.value.message, b"", "r7"), raised.value)
    assert json.loads(JsonFormatter().format(record))["cause"] == raised.value.message
    assert "another artifact has 'a' as its external_id already" in raised.value.message


def test_no_secret_reaches_the_log(caplog: pytest.LogCaptureFixture) -> None:
    record = _record(caplog, Answer(Code.UNAUTHENTICATED, "authorization: no.", b"", "r5"))
    for formatter in (JsonFormatter(), HumanFormatter()):
        assert "very-secret" not in formatter.format(record)


def test_a_level_above_info_leaves_ordinary_calls_out(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING, "mlmd.calls"):
        Journal().note(CALL, ALICE, Answer(Code.OK, "", b"", "r6"), 0.1, None)
    assert caplog.records == []


def test_other_lines_keep_their_logger(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.INFO):
        logging.getLogger("mlmd.server").info("draining for %d seconds", 5)
    (record,) = caplog.records
    assert json.loads(JsonFormatter().format(record))["message"] == "draining for 5 seconds"
    assert HumanFormatter().format(record).endswith("mlmd.server: draining for 5 seconds")
