"""A step that stands still in the middle while another is taken."""

from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any

from tests.services.faulty_http import Fault, FaultyHttp, Request


def outcome(future: "Future[Any]") -> object:
    """Return what a step gave, or its error."""
    return future.exception(60) or future.result()


def while_held(
    proxy: FaultyHttp, where: Callable[[Request], bool], first: Callable[[], object], then: Callable[[], object]
) -> object:
    """Take a step, and another while a request of the first is held; return the outcome of the first."""
    proxy.plan(1, Fault.HELD, where=where)
    with ThreadPoolExecutor(1) as pool:
        under_way = pool.submit(first)
        assert proxy.held.wait(60)
        try:
            then()
        finally:
            proxy.calm()
        return outcome(under_way)
