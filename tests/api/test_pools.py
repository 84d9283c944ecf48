"""Threads for work, where the system gives as many as are asked for, and where it does not."""

import threading
from collections.abc import Callable

import httpx
import pytest
from mlmd_api.pools import Pool
from mlmd_schemas.errors import Unavailable

from tests.api.conftest import Served


@pytest.fixture
def no_more_threads(monkeypatch: pytest.MonkeyPatch) -> Callable[[], None]:
    """A function from which on the system gives no thread."""

    def refuse(thread: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    return lambda: monkeypatch.setattr(threading.Thread, "start", refuse)


def test_work_is_done_together(no_more_threads: Callable[[], None]) -> None:
    pool, meeting = Pool(2, "test"), threading.Barrier(2)
    both = [pool.submit(meeting.wait, timeout=60) for _ in range(2)]
    assert sorted(one.result(60) for one in both) == [0, 1]
    with pytest.raises(ZeroDivisionError):
        pool.submit(divmod, 1, 0).result(60)
    pool.shutdown()
    with pytest.raises(RuntimeError, match="after shutdown"):
        pool.submit(int)


def test_without_more_threads_work_is_done_by_those_that_there_are(
    no_more_threads: Callable[[], None], caplog: pytest.LogCaptureFixture
) -> None:
    pool, release = Pool(8, "test"), threading.Event()
    first = pool.submit(release.wait, 60)
    no_more_threads()
    rest = [pool.submit(divmod, number, 3) for number in range(5)]
    given_up = pool.submit(divmod, 1, 0)
    assert given_up.cancel()
    release.set()
    assert [one.result(60) for one in (first, *rest)] == [True, *(divmod(number, 3) for number in range(5))]
    assert [record.message for record in caplog.records if "no more threads" in record.message]
    pool.shutdown()


def test_a_pool_without_any_thread_is_refused(no_more_threads: Callable[[], None]) -> None:
    no_more_threads()
    with pytest.raises(Unavailable, match="no thread"):
        Pool(1, "test")


def test_pages_and_calls_are_answered_without_more_threads(served: Served, no_more_threads: Callable[[], None]) -> None:
    no_more_threads()
    with httpx.Client(base_url=served.doors.http, timeout=60, trust_env=False) as client:
        for path in ("/readyz", "/metrics", "/healthz"):
            assert client.get(path).status_code == 200
        body = {"artifactType": {"name": "x" * 5000}}
        assert client.post("/ml_metadata.MetadataStoreService/PutArtifactType", json=body).status_code == 200
        assert client.post("/graphql", json={"query": "{ artifactTypes { name } }"}).json()["data"]


def test_what_nobody_foresaw_is_said_as_other_failures_are(
    served: Served, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def fail() -> None:
        raise KeyError("a secret")

    monkeypatch.setattr(served.stores.of(""), "ping", fail)
    monkeypatch.setattr(served.measurements, "page", fail)
    with httpx.Client(base_url=served.doors.http, timeout=60, trust_env=False) as client:
        ready, page = client.get("/readyz"), client.get("/metrics")
    assert (ready.status_code, "secret" in ready.text) == (503, False)
    assert ready.text.startswith("Whether calls can be answered could not be found out")
    assert (page.status_code, page.json()["code"], "secret" in page.text) == (500, "internal", False)
    assert "a secret" in caplog.text
