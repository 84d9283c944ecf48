"""What the threads on gRPC core's queue promise beyond what any server of gRPC does."""

import gc
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import grpc
import pytest
from grpc_health.v1 import health_pb2, health_pb2_grpc
from mlmd_api.grpc import lanes
from mlmd_api.grpc.core_server import CoreServer
from mlmd_api.grpc.core_task import CoreTask
from mlmd_api.grpc.server import GrpcSettings, options_of
from mlmd_schemas.pb import metadata_store_pb2 as mlmd

from tests.api.conftest import ODD, Served
from tests.api.test_grpc import open_channel
from tests.services.waiting import wait_for

Handler = Any
"""A `grpc.RpcMethodHandler`."""


class Handlers(grpc.GenericRpcHandler):  # type: ignore[type-arg]  # it has none but in its stubs
    """Handlers by path."""

    def __init__(self, handlers: dict[str, Handler]) -> None:
        self.handlers = handlers

    def service(self, handler_call_details: grpc.HandlerCallDetails) -> Handler | None:
        """Return a handler; no path is named `/fails`."""
        if handler_call_details.method == "/fails":
            raise RuntimeError("the secret cause")
        return self.handlers.get(handler_call_details.method)


@pytest.fixture
def listen() -> Iterator[Callable[..., grpc.Channel]]:
    """A function that serves handlers and returns a channel to them."""
    opened: list[tuple[CoreServer, grpc.Channel]] = []

    def start(handlers: dict[str, Handler], most_bytes: int = 1 << 62) -> grpc.Channel:
        server = CoreServer(2, {}, [("grpc.so_reuseport", 0)], waiting=5, most_bytes=most_bytes)
        server.add_generic_rpc_handlers([Handlers(handlers)])
        port = server.add_insecure_port("127.0.0.1:0")
        server.start()
        channel = grpc.insecure_channel(f"127.0.0.1:{port}", options=[("grpc.enable_http_proxy", 0)])
        opened.append((server, channel))
        return channel

    yield start
    for server, channel in opened:
        channel.close()
        assert server.stop(20).wait(20)
        for thread in server.threads:
            thread.join(20)
            assert not thread.is_alive()


def pooled(behaviour: Callable[..., Any]) -> Any:
    """Return a behaviour for a pool of its own."""

    def marked(*arguments: Any) -> Any:
        return behaviour(*arguments)

    marked.experimental_thread_pool = ThreadPoolExecutor(4)  # type: ignore[attr-defined]  # how grpcio marks it
    return marked


def echo(request: Any, context: Any) -> Any:
    """Say what was said."""
    return request


def test_who_sends_slowly_holds_no_place(serve: Callable[..., Served]) -> None:
    served, say_it = serve(threads=1), threading.Event()

    def slowly() -> Iterator[bytes]:
        say_it.wait(60)
        yield mlmd.Artifact(uri="late").SerializeToString()

    with open_channel(served.doors) as channel:
        slow = [channel.stream_unary(f"{ODD}Note", None, None).future(slowly(), timeout=60) for _ in range(3)]
        call = channel.unary_unary(f"{ODD}Note", None, None)
        assert [call(b"", timeout=30) for _ in range(20)] == [b""] * 20
        say_it.set()
        assert [mlmd.Artifact.FromString(one.result()).uri for one in slow] == ["late"] * 3


def test_more_calls_than_are_let_in_are_all_answered(serve: Callable[..., Served]) -> None:
    served = serve(threads=1)
    with open_channel(served.doors) as channel:
        busy = channel.unary_unary(f"{ODD}Wait", None, None).future(b"", timeout=60)
        assert served.odd.entered.wait(60)
        call = channel.unary_unary(f"{ODD}Note", None, None)
        waiting = [call.future(mlmd.Artifact(id=n).SerializeToString(), timeout=60) for n in range(100)]
        health = health_pb2_grpc.HealthStub(channel)
        health.Check(health_pb2.HealthCheckRequest(), timeout=60)  # which is answered beside them
        assert not any(one.done() for one in waiting)
        served.odd.release.set()
        assert busy.result()
        assert [mlmd.Artifact.FromString(one.result()).id for one in waiting] == list(range(100))


def test_a_caller_who_says_nothing_is_told(serve: Callable[..., Served]) -> None:
    served = serve(threads=1)
    with open_channel(served.doors) as channel:
        for _ in range(10):  # more than are let in at a time
            with pytest.raises(grpc.RpcError) as caught:
                channel.stream_unary(f"{ODD}Note", None, None)(iter(()), timeout=30)
            assert caught.value.code() is grpc.StatusCode.UNIMPLEMENTED
            assert caught.value.details() == f"{ODD}Note takes one message, and none came."
        assert channel.unary_unary(f"{ODD}Note", None, None)(b"", timeout=30) == b""


def test_watchers_who_leave_at_once_do_not_hold_up_the_end(serve: Callable[..., Served]) -> None:
    served = serve()
    with open_channel(served.doors) as channel:
        stub = health_pb2_grpc.HealthStub(channel)
        for number in range(300):
            watch = stub.Watch(health_pb2.HealthCheckRequest(), timeout=30)
            if number % 3 == 0:
                next(watch)
            watch.cancel()
    assert served.grpc.stop(60).wait(30)


def test_of_what_watchers_of_health_send_nothing_large_is_kept(serve: Callable[..., Served]) -> None:
    served = serve()
    with open_channel(served.doors) as channel:
        watch = health_pb2_grpc.HealthStub(channel).Watch(health_pb2.HealthCheckRequest(service="x" * 100_000))
        assert next(watch).status == health_pb2.HealthCheckResponse.SERVICE_UNKNOWN
        assert not [task for task in gc.get_objects() if isinstance(task, CoreTask) and task._request]
        (kept,) = served.grpc._health._watches
        assert len(kept.service) < 1000
        watch.cancel()


def test_what_waits_when_the_time_to_end_is_over_is_cancelled(serve: Callable[..., Served]) -> None:
    served = serve(threads=1)
    with open_channel(served.doors) as channel:
        busy: Any = channel.unary_unary(f"{ODD}Wait", None, None).future(b"", timeout=60)
        assert served.odd.entered.wait(60)
        waiting: Any = [channel.unary_unary(f"{ODD}Note", None, None).future(b"", timeout=60) for _ in range(20)]
        health_pb2_grpc.HealthStub(channel).Check(health_pb2.HealthCheckRequest(), timeout=60)
        ended = served.grpc.stop(0.5)
        for one in [busy, *waiting]:
            assert one.exception().code() in (grpc.StatusCode.CANCELLED, grpc.StatusCode.UNAVAILABLE)
        assert not ended.is_set()  # a thread is still at work
        served.odd.release.set()
        assert ended.wait(60)


def test_messages_in_both_directions(listen: Callable[..., grpc.Channel]) -> None:
    def doubled(messages: Iterator[bytes], context: Any) -> Iterator[bytes]:
        for message in messages:
            yield message * 2

    def joined(messages: Iterator[bytes], context: Any) -> bytes:
        context.set_trailing_metadata((("said", "all"), ("raw-bin", b"\x00\xff")))
        return b"".join(messages)

    channel = listen(
        {
            "/doubled": grpc.stream_stream_rpc_method_handler(pooled(doubled)),
            "/joined": grpc.stream_unary_rpc_method_handler(pooled(joined)),
        }
    )
    said = [str(number).encode() for number in range(200)]
    heard = list(channel.stream_stream("/doubled", None, None)(iter(said), timeout=30))
    assert heard == [one * 2 for one in said]
    body, call = channel.stream_unary("/joined", None, None).with_call(iter(said), timeout=30)
    assert body == b"".join(said)
    assert dict(call.trailing_metadata()) == {"said": "all", "raw-bin": b"\x00\xff"}


def test_more_than_may_wait_are_told_so(listen: Callable[..., grpc.Channel]) -> None:
    release = threading.Event()

    def held(request: bytes, context: Any) -> bytes:
        release.wait(60)
        return request

    channel = listen({"/held": grpc.unary_unary_rpc_method_handler(held)})
    calls: list[Any] = [channel.unary_unary("/held", None, None).future(b"kept", timeout=60) for _ in range(20)]
    wait_for(lambda: sum(call.done() for call in calls) >= 7)
    refused = [call for call in calls if call.done()]
    assert len(refused) == 20 - 2 * 4 - 5  # two places, four let in for each, five that wait
    assert {call.exception().code() for call in refused} == {grpc.StatusCode.UNAVAILABLE}
    release.set()
    assert [call.result() for call in calls if call not in refused] == [b"kept"] * 13


def test_calls_that_come_faster_than_they_are_taken_are_not_cancelled() -> None:
    settings = GrpcSettings(port=0)
    server = CoreServer(2, {}, options_of(settings))
    server.add_generic_rpc_handlers([Handlers({"/echo": grpc.unary_unary_rpc_method_handler(echo)})])
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    with grpc.insecure_channel(f"127.0.0.1:{port}", options=[("grpc.enable_http_proxy", 0)]) as channel:
        call = channel.unary_unary("/echo", None, None)
        with server._lock:  # without which no thread takes another call
            calls: list[Any] = [call.future(b"", timeout=120) for _ in range(4000)]
        assert [one.exception() for one in calls if one.exception()] == []
    assert server.stop(20).wait(20)


def test_large_messages_are_worked_on_one_at_a_time() -> None:
    release, entered = threading.Event(), list[int]()

    def held(request: bytes, context: Any) -> bytes:
        entered.append(len(request))
        release.wait(60)
        return b""

    server = CoreServer(2, {}, [("grpc.so_reuseport", 0)], most_bytes=1_000_000)
    server.add_generic_rpc_handlers([Handlers({"/held": grpc.unary_unary_rpc_method_handler(held)})])
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    with grpc.insecure_channel(f"127.0.0.1:{port}", options=[("grpc.enable_http_proxy", 0)]) as channel:
        call = channel.unary_unary("/held", None, None)
        calls: list[Any] = [call.future(b"x" * 600_000, timeout=60) for _ in range(2)]
        wait_for(lambda: len(server._work[None]._large) == 1)  # where it waits, though a place is free
        assert entered == [600_000]
        release.set()
        assert [one.result() for one in calls] == [b""] * 2
    assert server.stop(20).wait(20)


def test_messages_that_do_not_come_are_given_up_for_others(
    listen: Callable[..., grpc.Channel], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lanes, "PATIENCE_SECONDS", 0.1)
    channel, silent = listen({"/echo": grpc.unary_unary_rpc_method_handler(echo)}), threading.Event()

    def never() -> Iterator[bytes]:
        silent.wait(60)
        yield b"late"

    calls: list[Any] = [channel.stream_unary("/echo", None, None).future(never(), timeout=60) for _ in range(8)]

    def given_up() -> list[Any]:
        """Say something beside them, and return the errors of those that gave way to it."""
        assert channel.unary_unary("/echo", None, None)(b"there", timeout=30) == b"there"
        return [call.exception() for call in calls if call.done()]

    told = wait_for(given_up)  # the first words may be there before theirs were begun
    assert {error.code() for error in told} == {grpc.StatusCode.RESOURCE_EXHAUSTED}
    assert "was not there in time" in told[0].details()
    silent.set()


def test_there_are_no_more_threads_than_calls_have_needed() -> None:
    release, entered = threading.Event(), threading.Semaphore(0)

    def held(request: bytes, context: Any) -> bytes:
        entered.release()
        release.wait(60)
        return request

    server = CoreServer(2, {ThreadPoolExecutor(): 1}, [])
    server.add_generic_rpc_handlers(
        [Handlers({path: grpc.unary_unary_rpc_method_handler(held) for path in ("/a", "/b")})]
    )
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    assert len(server.threads) == 1
    with grpc.insecure_channel(f"127.0.0.1:{port}", options=[("grpc.enable_http_proxy", 0)]) as channel:
        first = channel.unary_unary("/a", None, None).future(b"", timeout=60)
        assert entered.acquire(timeout=30)
        assert len(server.threads) == 2
        others = [channel.unary_unary("/b", None, None).future(b"", timeout=60) for _ in range(20)]
        assert entered.acquire(timeout=30)
        release.set()
        assert [call.result() for call in (first, *others)] == [b""] * 21
    assert len(server.threads) == 3  # two places and one that takes events; nothing came for the other lane
    assert server.stop(20).wait(20)


def test_a_path_that_nobody_serves(listen: Callable[..., grpc.Channel]) -> None:
    with pytest.raises(grpc.RpcError) as caught:
        listen({}).unary_unary("/no/such", None, None)(b"x" * 100_000, timeout=30)
    assert caught.value.code() is grpc.StatusCode.UNIMPLEMENTED
    assert caught.value.details() == "/no/such is no method of this server."


def test_a_stream_whose_caller_leaves_is_closed(listen: Callable[..., grpc.Channel]) -> None:
    closed = threading.Event()

    def endless(request: bytes, context: Any) -> Iterator[bytes]:
        try:
            while True:
                yield b"x" * 1000
        finally:
            closed.set()

    channel = listen({"/endless": grpc.unary_stream_rpc_method_handler(pooled(endless))})
    stream: Any = channel.unary_stream("/endless", None, None)(b"", timeout=60)
    assert next(stream)
    stream.cancel()
    assert closed.wait(30)


@pytest.mark.parametrize("path", ["/breaks", "/breaks/pooled", "/streams", "/read", "/written", "/homeless", "/fails"])
def test_a_defect_is_told_without_its_text(listen: Callable[..., grpc.Channel], path: str) -> None:
    def breaks(request: Any, context: Any) -> bytes:
        raise RuntimeError("the secret cause")

    def streams(request: Any, context: Any) -> Iterator[bytes]:
        yield b"first"
        raise RuntimeError("the secret cause")

    channel = listen(
        {
            "/breaks": grpc.unary_unary_rpc_method_handler(breaks),
            "/breaks/pooled": grpc.unary_unary_rpc_method_handler(pooled(breaks)),
            "/streams": grpc.unary_stream_rpc_method_handler(pooled(streams)),
            "/read": grpc.unary_unary_rpc_method_handler(echo, mlmd.Artifact.FromString),
            "/written": grpc.unary_unary_rpc_method_handler(echo, None, mlmd.Artifact.SerializeToString),
            "/homeless": grpc.unary_stream_rpc_method_handler(streams),
            "/echo": grpc.unary_unary_rpc_method_handler(echo),
        }
    )
    with pytest.raises(grpc.RpcError) as caught:
        list(channel.unary_stream(path, None, None)(b"\xff", timeout=30))
    assert caught.value.code() is grpc.StatusCode.INTERNAL
    assert "secret" not in (caught.value.details() or "")
    assert channel.unary_unary("/echo", None, None)(b"there", timeout=30) == b"there"


def test_a_system_without_more_threads(
    listen: Callable[[dict[str, Handler]], grpc.Channel],
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    unpooled = grpc.unary_unary_rpc_method_handler(echo)
    streamed = grpc.unary_stream_rpc_method_handler(pooled(lambda request, context: iter([request])))
    channel = listen({"/echo": unpooled, "/stream": streamed})
    started = threading.Thread.start

    def refuse(thread: threading.Thread) -> None:
        if thread.name.startswith(("grpc-", "ThreadPool")):
            raise RuntimeError("can't start new thread")
        started(thread)

    monkeypatch.setattr(threading.Thread, "start", refuse)
    calls = [channel.unary_unary("/echo", None, None).future(b"x", timeout=30) for _ in range(8)]
    assert [call.result() for call in calls] == [b"x"] * 8
    stream = channel.unary_stream("/stream", None, None)
    refused: Any = stream(b"x", timeout=30)
    with pytest.raises(grpc.RpcError, match="cannot start a thread"):
        next(refused)
    assert refused.code() is grpc.StatusCode.UNAVAILABLE
    assert [record.message[:40] for record in caplog.records if "no more threads" in record.message] == [
        "the system gives this process no more th"
    ]
    monkeypatch.undo()
    assert list(stream(b"x", timeout=30)) == [b"x"]


def test_calls_that_come_together_do_not_wait_in_grpc_core() -> None:
    """There they may be cancelled without a word, as those here that wait for a millisecond."""
    server = CoreServer(2, {}, [("grpc.so_reuseport", 0), ("grpc.server_max_unrequested_time_in_server", 0)])
    server.add_generic_rpc_handlers([Handlers({"/echo": grpc.unary_unary_rpc_method_handler(echo)})])
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    with grpc.insecure_channel(f"127.0.0.1:{port}", options=[("grpc.enable_http_proxy", 0)]) as channel:
        call = channel.unary_unary("/echo", None, None)
        for _ in range(20):
            together = [call.future(b"x", timeout=60) for _ in range(50)]
            assert [one.result() for one in together] == [b"x"] * 50
    assert server.stop(20).wait(20)
