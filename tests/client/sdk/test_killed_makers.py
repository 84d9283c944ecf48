"""A process killed anywhere in `log_model` and its like: what is LIVE is known with what made it, always."""

import subprocess
import sys
import textwrap
from pathlib import Path

import pytest
from mlmd_client.store import Store
from mlmd_schemas.pb import metadata_store_pb2 as pb
from mlmd_schemas.pb import metadata_store_service_pb2 as mlmd

from tests.client.conftest import WAYS
from tests.client.sdk.conftest import OpenStore
from tests.conftest import StartServer

PROGRAM = textwrap.dedent(
    """
    import importlib, os, signal, sys, threading
    from mlmd_client import Store
    from mlmd_client.http_connections import Connections

    target, work = sys.argv[1:]
    importlib.import_module("mlmd_client.upload")
    if not target.startswith("grpc:"):
        importlib.import_module("mlmd_server.embedded")

    def deadly(call):
        def made(*arguments, **options):
            if not armed or threading.current_thread().name.startswith("mlmd-"):
                return call(*arguments, **options)
            die()
            answer = call(*arguments, **options)
            die()
            return answer
        return made

    def die():
        moments.append(1)
        if len(moments) == at:
            os.kill(os.getpid(), signal.SIGKILL)

    def live():
        global armed
        store = Store(target)
        transport = store.service.transport
        Connections.send = deadly(Connections.send)
        for name in ("unary", "take_in"):
            if hasattr(transport, name):
                setattr(transport, name, deadly(getattr(transport, name)))
        run = store.run("killed/run").start()
        armed = True
        if work == "use":
            run.use("given")
        elif work == "data":
            run.log_dataset("given", b"rows")
        else:
            run.log_model("made", {"w": at})
        os.write(1, b"%d\\n" % run.id)
        os.kill(os.getpid(), signal.SIGKILL)

    for at in range(1, 200):
        moments, armed = [], False
        reading, writing = os.pipe()
        child = os.fork()
        if not child:
            os.dup2(writing, 1)
            live()
        os.close(writing)
        told = os.read(reading, 100)
        os.close(reading)
        assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == -signal.SIGKILL
        if told:
            print(at, told.decode().strip())
            break
    """
)


def killed(target: str, work: str) -> tuple[int, int]:
    """Kill processes that do some work at every moment of it; return how many, and the run that got to its end."""
    done = subprocess.run([sys.executable, "-c", PROGRAM, target, work], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    count, execution_id = map(int, done.stdout.split())
    return count, execution_id


def live(store: Store) -> dict[int, list[pb.Event]]:
    """Return the events of every artifact that is LIVE."""
    artifacts = store.service.read(mlmd.GetArtifactsRequest(), mlmd.GetArtifactsResponse).artifacts
    found: dict[int, list[pb.Event]] = {one.id: [] for one in artifacts if one.state == pb.Artifact.LIVE}
    request = mlmd.GetEventsByArtifactIDsRequest(artifact_ids=[one.id for one in artifacts])
    for event in store.service.read(request, mlmd.GetEventsByArtifactIDsResponse).events:
        assert event.artifact_id in found, "an event of something that is not there"
        found[event.artifact_id].append(event)
    return found


@pytest.fixture(params=WAYS)
def target(request: pytest.FixtureRequest, sqlite_url: str, start_server: StartServer) -> str:
    """Where processes that are killed log to."""
    return f"grpc://{start_server(sqlite_url, http=True).target}" if request.param == "grpc" else sqlite_url


def test_a_model_is_known_with_its_run_or_not_at_all(target: str, open_store: OpenStore) -> None:
    count, execution_id = killed(target, "model")
    assert count > 8, "before and after each of its requests"
    found = live(open_store(target))
    assert found
    for artifact_id, events in found.items():
        assert [event.type for event in events] == [pb.Event.OUTPUT], artifact_id
        assert [step.key for step in events[0].path.steps] == ["made"]
    assert execution_id in {events[0].execution_id for events in found.values()}
    assert len({events[0].execution_id for events in found.values()}) == len(found), "each run made one"


def test_data_that_was_there_is_an_output_of_every_run_that_got_to_its_end(target: str, open_store: OpenStore) -> None:
    store = open_store(target)
    with store.run("killed/given") as run:
        given = run.log_dataset("given", b"rows")
    _, execution_id = killed(target, "data")
    (events,) = live(store).values()
    assert {event.type for event in events} == {pb.Event.OUTPUT}
    assert {run.id, execution_id} <= {event.execution_id for event in events}
    assert store["given"].id == given.id


def test_what_a_run_reads_is_on_the_disk_or_in_the_store_when_it_is_read(
    target: str, open_store: OpenStore, journal_folder: Path
) -> None:
    store = open_store(target)
    with store.run("killed/given") as run:
        run.log_dataset("given", b"rows")
    _, execution_id = killed(target, "use")
    assert open_store(target).sync() == 0
    (events,) = live(store).values()
    reads = [event.execution_id for event in events if event.type == pb.Event.INPUT]
    assert execution_id in reads
    assert len(reads) == len(set(reads))
    assert not list(journal_folder.glob("*/*"))
