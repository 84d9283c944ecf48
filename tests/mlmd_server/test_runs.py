"""Servers end the runs that fell silent, each once."""

import secrets

from mlmd_schemas.pb.v1 import runs_pb2 as v1
from mlmd_schemas.pb.v1 import runs_pb2_grpc

from tests.conftest import StartServer
from tests.services.server import Server
from tests.services.waiting import wait_for


def start(stub: runs_pb2_grpc.RunsStub, timeout_ms: int) -> v1.StartRunResponse:
    request = v1.StartRunRequest(experiment="e", step="s", token=secrets.token_hex(16), timeout_ms=timeout_ms)
    started: v1.StartRunResponse = stub.StartRun(request, timeout=30)
    return started


def ended(server: Server, execution_id: int) -> v1.Run:
    with server.channel() as channel:
        stub = runs_pb2_grpc.RunsStub(channel)

        def ended_run() -> v1.Run | None:
            run: v1.Run = stub.GetRun(v1.GetRunRequest(execution_id=execution_id), timeout=30).run
            return run if run.state != v1.RUN_STATE_RUNNING else None

        found = wait_for(ended_run)
    assert found is not None
    return found


def test_two_servers_end_silent_runs_and_leave_the_others(database_url: str, start_server: StartServer) -> None:
    first, second = start_server(database_url), start_server(database_url)
    with first.channel() as channel:
        stub = runs_pb2_grpc.RunsStub(channel)
        silent = [start(stub, 1000).run.execution_id for _ in range(10)]
        alive = start(stub, 600_000)
        runs = [ended(second, execution_id) for execution_id in silent]
        assert {run.state for run in runs} == {v1.RUN_STATE_FAILED}
        assert all(run.lost and "Not heard from" in run.reason for run in runs)
        assert stub.JoinRun(v1.JoinRunRequest(token=alive.token), timeout=30).run.state == v1.RUN_STATE_RUNNING
    first.stop()
    second.stop()
    told = [line for server in (first, second) for line in server.output().splitlines() if "not heard from" in line]
    assert sum(int(line.split("ended ")[1].split()[0]) for line in told) == len(silent)


def test_a_server_that_starts_ends_what_died_meanwhile(sqlite_url: str, start_server: StartServer) -> None:
    server = start_server(sqlite_url)
    with server.channel() as channel:
        run = start(runs_pb2_grpc.RunsStub(channel), 1000).run
    server.kill()
    assert ended(start_server(sqlite_url), run.execution_id).lost
