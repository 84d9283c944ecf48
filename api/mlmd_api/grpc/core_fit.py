"""Whether the installed grpcio's binding of gRPC core is one that `CoreServer` can stand on.

The binding is not an interface that grpcio promises. Between the versions with which the tests of the wires pass it is
taken to fit; of any other it is tried, by a server of one handler and one call.
"""

import logging
from collections.abc import Callable
from typing import Any

import grpc

TESTED = (1, 62), (1, 85)
"""The oldest and the newest version with which the tests of the wires pass."""

_LOG = logging.getLogger("mlmd.server")
_PATH = "/mlmd.probe/Echo"
_WAIT_SECONDS = 10.0
_WORD = b"a message"


class _Echo(grpc.GenericRpcHandler):  # type: ignore[type-arg]  # it has none but in its stubs
    def service(self, handler_call_details: grpc.HandlerCallDetails) -> Any:
        return grpc.unary_unary_rpc_method_handler(lambda request, context: request)


def core_fits() -> bool:
    """Return whether `CoreServer` works with this grpcio; says so in the log when it does not."""
    oldest, newest = TESTED
    if oldest <= _minor_version() <= newest:
        return True
    refusal = _refusal()
    if refusal is None:
        return True
    _LOG.warning(
        "grpcio %s is not a version that threads on gRPC core's queue were tested with, and they do not work with it "
        "(%s); its own server answers calls instead, at half the speed; grpcio %d.%d would not need it",
        grpc.__version__,
        refusal,
        *newest,
    )
    return False


def _minor_version() -> tuple[int, int]:
    major, minor = grpc.__version__.split(".")[:2]
    return int(major), int(minor)


def _refusal() -> str | None:
    """Return why one call through a `CoreServer` fails, None when it is answered."""
    try:
        from mlmd_api.grpc.core_server import CoreServer

        server = CoreServer(1, {}, [("grpc.so_reuseport", 0)])
        server.add_generic_rpc_handlers([_Echo()])
        port = server.add_insecure_port("127.0.0.1:0")
        server.start()
        try:
            return _asked(port)
        finally:
            server.stop(0)
    except Exception as error:  # noqa: BLE001 - a binding that changed fails in ways that nobody can list
        return _shown(error)


def _asked(port: int) -> str | None:
    with grpc.insecure_channel(f"127.0.0.1:{port}", options=[("grpc.enable_http_proxy", 0)]) as channel:
        call: Callable[..., bytes] = channel.unary_unary(_PATH, None, None)
        try:
            answer = call(_WORD, timeout=_WAIT_SECONDS)
        except grpc.RpcError as error:
            return _shown(error)
    return None if answer == _WORD else "it answers another message than the one it was given"


def _shown(error: Exception) -> str:
    if isinstance(error, grpc.Call):
        return f"{error.code().name}: {error.details()}"
    return f"{type(error).__name__}: {error}"
