"""How the process ends: signals, calls in flight, and workers that die or are left alone."""

import os
import signal
import sqlite3
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path

import grpc
import httpx
import pytest
from mlmd_schemas.pb import metadata_store_pb2 as mlmd
from mlmd_schemas.pb import metadata_store_service_pb2 as service
from mlmd_schemas.pb import metadata_store_service_pb2_grpc as service_grpc

from tests.mlmd_server.processes import PUT_TYPE, in_flight, processes_of, put_types, said
from tests.services.server import Server
from tests.services.waiting import wait_for


@pytest.mark.parametrize("workers", ["1", "2"])
def test_sigterm_lets_calls_in_flight_finish(tmp_path: Path, sqlite_url: str, workers: str) -> None:
    """A write that waits for SQLite's lock when SIGTERM comes is answered, and its row is there afterwards."""
    with Server(sqlite_url, tmp_path / "server", http=True, options=("--workers", workers), fresh=True) as server:
        put_types(server, 1)
        blocker = sqlite3.connect(sqlite_url.removeprefix("sqlite:///"), isolation_level=None)
        blocker.execute("BEGIN IMMEDIATE")
        answers: list[int] = []
        caller = threading.Thread(
            target=lambda: answers.append(
                httpx.post(
                    server.http_url + PUT_TYPE, json={"artifactType": {"name": "Late"}}, timeout=60, trust_env=False
                ).status_code
            )
        )
        with server.channel() as channel:
            stub = service_grpc.MetadataStoreServiceStub(channel)
            request = service.PutArtifactTypeRequest(artifact_type=mlmd.ArtifactType(name="Later"))
            future = stub.PutArtifactType.future(request, timeout=60)
            caller.start()
            wait_for(lambda: in_flight(server) == 2)
            process = server.process
            assert process is not None
            process.terminate()
            wait_for(lambda: "draining" in server.stderr.read_text())
            assert process.poll() is None
            blocker.execute("COMMIT")
            blocker.close()
            assert future.result().type_id
            caller.join(60)
        assert answers == [200]
        assert process.wait(60) == 0
        server.process = None
    names = sqlite3.connect(sqlite_url.removeprefix("sqlite:///"))
    assert names.execute("SELECT count(*) FROM Type WHERE name IN ('Late', 'Later')").fetchone() == (2,)
    names.close()


def test_a_second_signal_does_not_wait(tmp_path: Path, sqlite_url: str) -> None:
    for number, workers in enumerate(("1", "2")):
        options = ("--workers", workers, "--drain-seconds", "3600")
        with Server(sqlite_url, tmp_path / f"server{number}", http=True, options=options, fresh=True) as server:
            put_types(server, 1)
            blocker = sqlite3.connect(sqlite_url.removeprefix("sqlite:///"), isolation_level=None)
            blocker.execute("BEGIN IMMEDIATE")
            with server.channel() as channel:
                stub = service_grpc.MetadataStoreServiceStub(channel)
                request = service.PutArtifactTypeRequest(artifact_type=mlmd.ArtifactType(name="Never"))
                future = stub.PutArtifactType.future(request, timeout=60)
                wait_for(lambda: in_flight(server) == 1)
                process = server.process
                assert process is not None
                process.terminate()
                wait_for(lambda: "draining" in server.stderr.read_text())  # two signals at once would be one
                process.terminate()
                assert process.wait(60) == -signal.SIGTERM, "as one that the signal ended, which asked for it"
                assert future.code() is grpc.StatusCode.UNAVAILABLE, "it was cut off, and had not come to its own end"
            server.process = None
            assert "SIGTERM came again; calls in flight are cut off" in server.stderr.read_text()
            blocker.execute("COMMIT")
            blocker.close()


def test_a_drain_has_an_end(tmp_path: Path, sqlite_url: str) -> None:
    """A call that does not finish is given up after --drain-seconds, and nothing of it is written."""
    path = sqlite_url.removeprefix("sqlite:///")
    with (
        Server(sqlite_url, tmp_path / "server", http=True, options=("--drain-seconds", "1"), fresh=True) as server,
        server.channel() as channel,
    ):
        put_types(server, 1)
        blocker = sqlite3.connect(path, isolation_level=None)
        blocker.execute("BEGIN IMMEDIATE")
        stub = service_grpc.MetadataStoreServiceStub(channel)
        request = service.PutArtifactTypeRequest(artifact_type=mlmd.ArtifactType(name="Never"))
        future = stub.PutArtifactType.future(request, timeout=60)
        wait_for(lambda: in_flight(server) == 1)
        assert server.stop() == 0
        assert "calls still in flight after 1 s were given up" in server.stderr.read_text()
        assert future.exception() is not None
        blocker.execute("COMMIT")
        assert blocker.execute("SELECT count(*) FROM Type WHERE name = 'Never'").fetchone() == (0,)
        blocker.close()


@pytest.mark.parametrize("content_type", ["application/json", "application/grpc-web+proto"])
def test_what_is_given_up_over_http_is_unavailable(tmp_path: Path, sqlite_url: str, content_type: str) -> None:
    """The caller hears so in its own protocol, and the log has no stack trace of a call that nobody got wrong."""
    options = ("--drain-seconds", "1")
    with (
        Server(sqlite_url, tmp_path / "server", http=True, options=options, fresh=True) as server,
        ThreadPoolExecutor(1) as threads,
    ):
        put_types(server, 1)
        blocker = sqlite3.connect(sqlite_url.removeprefix("sqlite:///"), isolation_level=None)
        blocker.execute("BEGIN IMMEDIATE")
        request = service.PutArtifactTypeRequest(artifact_type=mlmd.ArtifactType(name="Never"))
        message = request.SerializeToString()
        framed = b"\0" + len(message).to_bytes(4, "big") + message
        body = b'{"artifactType": {"name": "Never"}}' if content_type == "application/json" else framed
        headers = {"content-type": content_type}
        with httpx.Client(trust_env=False, timeout=60) as http:
            answered = threads.submit(http.post, server.http_url + PUT_TYPE, content=body, headers=headers)
            wait_for(lambda: in_flight(server) == 1)
            assert server.stop() == 0
            answer = answered.result(60)
        blocker.close()
        told = server.stderr.read_text()
    if content_type == "application/json":
        assert (answer.status_code, answer.json()["code"]) == (503, "unavailable")
    else:
        assert (answer.status_code, answer.headers["content-type"]) == (200, content_type)
        assert b"grpc-status:14\r\n" in answer.content
    assert b"Whether a write took place is unknown" in answer.content
    assert "given up" in told
    assert "Traceback" not in told


@pytest.mark.parametrize("engine", ["core", "grpcio"])
def test_without_calls_none_is_given_up(tmp_path: Path, sqlite_url: str, engine: str) -> None:
    """Open connections that ask for nothing are no calls, however short the drain is."""
    options = ("--drain-seconds", "0", "--grpc-engine", engine)
    with (
        Server(sqlite_url, tmp_path / "server", http=True, options=options, fresh=True) as server,
        server.channel() as channel,
        httpx.Client(trust_env=False) as http,
    ):
        stub = service_grpc.MetadataStoreServiceStub(channel)
        stub.GetArtifactTypes(service.GetArtifactTypesRequest(), timeout=30)
        assert http.get(server.http_url + "/healthz", timeout=30).status_code == 200
        assert server.stop() == 0
        told = server.stderr.read_text()
    assert "draining" in told
    assert "given up" not in told


def test_a_deadline_that_passes_while_waiting_writes_nothing(running: Server, sqlite_url: str) -> None:
    put_types(running, 1)
    blocker = sqlite3.connect(sqlite_url.removeprefix("sqlite:///"), isolation_level=None)
    blocker.execute("BEGIN IMMEDIATE")
    headers = {"connect-timeout-ms": "700"}
    body = {"artifactType": {"name": "Never"}}
    response = httpx.post(running.http_url + PUT_TYPE, json=body, headers=headers, timeout=60, trust_env=False)
    blocker.execute("COMMIT")
    assert (response.status_code, response.json()["code"]) == (504, "deadline_exceeded")
    wait_for(lambda: in_flight(running) == 0)
    assert blocker.execute("SELECT count(*) FROM Type WHERE name = 'Never'").fetchone() == (0,)
    blocker.close()


def test_workers_share_the_ports_and_metrics_add_them_up(tmp_path: Path, sqlite_url: str) -> None:
    with Server(sqlite_url, tmp_path / "server", http=True, options=("--workers", "3"), fresh=True) as server:
        wait_for(lambda: said(server, "ready"))
        assert len(processes_of(server)) == 3
        body = {"artifactType": {"name": "T"}}
        for _ in range(30):
            assert httpx.post(server.http_url + PUT_TYPE, json=body, timeout=60, trust_env=False).status_code == 200
        pages = [httpx.get(server.http_url + "/metrics", timeout=60, trust_env=False).text for _ in range(10)]
        total = (
            'mlmd_calls_total{code="OK",method="ml_metadata.MetadataStoreService/PutArtifactType",wire="connect-json"}'
        )
        assert {line for page in pages for line in page.splitlines() if line.startswith(total)} == {f"{total} 30.0"}


def test_a_worker_that_dies_is_replaced_and_the_others_go_on(tmp_path: Path, sqlite_url: str) -> None:
    with Server(sqlite_url, tmp_path / "server", options=("--workers", "2"), fresh=True) as server:
        wait_for(lambda: said(server, "ready"))
        before = processes_of(server)
        os.kill(before[0], signal.SIGKILL)
        wait_for(lambda: len(processes_of(server)) == 2 and before[0] not in processes_of(server))
        wait_for(server.serving)
        assert before[1] in processes_of(server)
        assert put_types(server, 3)
        assert f"worker 0 (pid {before[0]}) was ended by SIGKILL" in server.stderr.read_text()


_AS_FIRST_PROCESS = """
import ctypes, os, subprocess, sys
ctypes.CDLL(None).prctl(36, 1)  # PR_SET_CHILD_SUBREAPER, which the program run next keeps
subprocess.run(["sh", "-c", "sleep 0 & sleep 600 & sleep 601 &"], check=True)
os.execv(sys.argv[1], sys.argv[1:])
"""


def test_what_others_leave_behind_in_a_container_are_no_workers(tmp_path: Path, sqlite_url: str) -> None:
    """The first process of a container becomes the parent of orphans, and hears of their ends."""
    server = Server(sqlite_url, tmp_path / "server", options=("--workers", "2", "--drain-seconds", "2"), fresh=True)
    server.words = [sys.executable, "-c", _AS_FIRST_PROCESS, *server.command()]
    with server:
        wait_for(lambda: said(server, "ready"))
        orphans = [pid for pid in processes_of(server) if Path(f"/proc/{pid}/comm").read_text() == "sleep\n"]
        workers = set(processes_of(server)) - set(orphans)
        assert (len(orphans), len(workers)) == (2, 2)
        os.kill(orphans[0], signal.SIGKILL)
        wait_for(lambda: orphans[0] not in processes_of(server))
        assert put_types(server, 1)
        assert workers < set(processes_of(server))
        assert server.stop() == 0
    os.kill(orphans[1], signal.SIGKILL)
    assert "another one takes its place" not in server.stderr.read_text()


def test_workers_do_not_outlive_their_parent(tmp_path: Path, sqlite_url: str) -> None:
    with Server(
        sqlite_url, tmp_path / "server", options=("--workers", "2", "--drain-seconds", "2"), fresh=True
    ) as server:
        wait_for(lambda: said(server, "ready"))
        workers = processes_of(server)
        assert server.process is not None
        os.kill(server.process.pid, signal.SIGKILL)
        server.process.wait(60)
        server.process = None
        wait_for(lambda: not any(Path(f"/proc/{pid}/cmdline").exists() and _alive(pid) for pid in workers))
        assert server.stderr.read_text().count("the process that started the workers is gone; draining") == 2


_A_JOB = """
import os, subprocess, sys, time
if os.fork() == 0:
    os.setpgid(0, 0)
    with open("pid", "w") as file:
        file.write(str(subprocess.Popen(sys.argv[1:]).pid))
    while not os.path.exists("leave"):
        time.sleep(0.02)
    os._exit(0)
os.wait()
time.sleep(600)
"""
"""A shell with job control that starts a command which starts a server and ends before it."""


def test_a_server_says_why_it_ends_when_it_is_stopped_and_left_alone(tmp_path: Path, sqlite_url: str) -> None:
    """The system sends SIGHUP to a group of processes that nobody looks after any more and one of which is stopped."""
    server = Server(sqlite_url, tmp_path, options=("--workers", "2", "--log-level", "warning"), fresh=True)
    server.words = [sys.executable, "-c", _A_JOB, *server.command()]
    with server:
        wait_for(lambda: said(server, "ready"))
        parent = int((tmp_path / "pid").read_text())
        worker = int(Path(f"/proc/{parent}/task/{parent}/children").read_text().split()[0])
        os.kill(worker, signal.SIGSTOP)
        wait_for(partial(_is_stopped, worker))
        (tmp_path / "leave").touch()
        wait_for(lambda: not _alive(parent))
        assert "SIGHUP came" in server.stderr.read_text()
        server.kill()


def _is_stopped(pid: int) -> bool:
    states = [(task / "stat").read_text().rpartition(")")[2].split()[0] for task in Path(f"/proc/{pid}/task").iterdir()]
    return set(states) == {"T"}


@pytest.mark.parametrize("stopped", ["parent", "worker", "both"])
def test_a_server_that_was_stopped_goes_on(tmp_path: Path, sqlite_url: str, stopped: str) -> None:
    with Server(sqlite_url, tmp_path, options=("--workers", "2"), fresh=True) as server:
        wait_for(lambda: said(server, "ready"))
        assert server.process is not None
        workers = processes_of(server)
        parent = server.process.pid
        chosen = {"parent": [parent], "worker": workers[:1], "both": [*workers, parent]}[stopped]
        for number in (signal.SIGSTOP, signal.SIGCONT):
            for pid in chosen:
                os.kill(pid, number)
                if number == signal.SIGSTOP:
                    wait_for(partial(_is_stopped, pid))
        put_types(server, 3)
        assert processes_of(server) == workers
        os.kill(workers[0], signal.SIGKILL)
        wait_for(lambda: len(processes_of(server)) == 2 and workers[0] not in processes_of(server))
        assert server.stop() == 0


def _alive(pid: int) -> bool:
    try:
        return "State:\tZ" not in Path(f"/proc/{pid}/status").read_text()
    except OSError:
        return False
