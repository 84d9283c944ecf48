"""Calls over gRPC."""

import os
import re
import threading
from collections.abc import Generator, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import grpc
from google.protobuf.message import Message
from mlmd_schemas.errors import Code

from mlmd_client.calls import PUSHBACK, Answers, CallError, M, Metadata
from mlmd_client.forks import in_turn
from mlmd_client.tls import Tls
from mlmd_client.tokens import Token

_UNREACHED = ("failed to connect", "DNS resolution failed", "Name resolution failure", "errors resolving")
_OVERDUE = "Deadline Exceeded"
"""What gRPC says when the time of a call is over, and the server said nothing."""
_SILENT = "ping timeout"
_TOO_LARGE = re.compile(r"Received message larger than max \((\d+) vs\. (\d+)\)")
"""What gRPC core says for a server, which does not see a request over its limit."""
_HUNG_UP = ("Socket closed", "Connection reset by peer", "Connection reset by peer (104)")
_OPTIONS: tuple[tuple[str, int | str], ...] = (
    ("grpc.max_send_message_length", -1),
    ("grpc.max_receive_message_length", -1),
    ("grpc.enable_http_proxy", 0),
    ("grpc.keepalive_time_ms", 60_000),
    ("grpc.keepalive_timeout_ms", 20_000),
    ("grpc.http2.ping_timeout_ms", 20_000),
    ("grpc.http2.max_pings_without_data", 0),
    ("grpc.initial_reconnect_backoff_ms", 200),
    ("grpc.max_reconnect_backoff_ms", 5_000),
)
"""The server's limits on messages are the ones that count; a proxy for web pages is no way to a store.

A server that is asked whether it lives, once a minute and however long a call lasts, and says nothing for 20 seconds is
taken for dead: one that is busy answers that from a thread of its own.
"""


class GrpcTransport:
    """A channel to a server.

    >>> transport = GrpcTransport("metadata.example.org:8080", token="s3cret")
    >>> transport.target
    'metadata.example.org:8080'
    >>> transport.close()
    """

    def __init__(
        self,
        address: str,
        *,
        token: str | Token = "",
        tls: Tls | None = None,
        options: Sequence[tuple[str, int | str]] = (),
    ) -> None:
        """Name a server as `host:port`; nothing is sent yet. `options` are gRPC core's and win over ours."""
        self.target = address
        self.tls = tls
        """What TLS is spoken with, over HTTP too; None without TLS."""
        self._options = list((dict(_OPTIONS) | dict(options)).items())
        self.headers: Mapping[str, str] = Token(token) if isinstance(token, str) else token
        """What the server wants to hear from us, over HTTP too."""
        self._lock = threading.Lock()
        self._closed = False
        self._open()

    def _open(self) -> None:
        self._channel = self._connected()
        self._calls: dict[tuple[str, type[Message], bool], Any] = {}
        self._pid = os.getpid()  # last: whoever sees it takes the channel for this process's own

    def _open_in_child(self) -> None:
        with in_turn():
            if self._pid == os.getpid():
                return
            self._lock = threading.Lock()  # another thread of the parent may have held it
            self._options.append(("grpc.use_local_subchannel_pool", 1))  # the other pool has the parent's connection
            self._open()

    def _connected(self) -> grpc.Channel:
        if self.tls is None:
            return grpc.insecure_channel(self.target, options=self._options)
        credentials = grpc.ssl_channel_credentials(self.tls.ca, self.tls.key, self.tls.certificate)
        return grpc.secure_channel(self.target, credentials, options=self._options)

    def unary(
        self,
        path: str,
        request: Message,
        response_type: type[M],
        *,
        timeout_seconds: float | None = None,
        metadata: Metadata = (),
    ) -> M:
        """Make one call; raises CallError."""
        call = self._call(path, response_type, streamed=False)
        with self._errors():
            answer: M = call(request, timeout=timeout_seconds, metadata=(*self.headers.items(), *metadata))
        return answer

    def stream(
        self,
        path: str,
        request: Message,
        response_type: type[M],
        *,
        timeout_seconds: float | None = None,
        metadata: Metadata = (),
    ) -> Answers[M]:
        """Make one streaming call; raises CallError, at once or while iterating."""
        call = self._call(path, response_type, streamed=True)
        with self._errors():
            given = call(request, timeout=timeout_seconds, metadata=(*self.headers.items(), *metadata))
        return Answers(self._messages(given), given.cancel)

    def _messages(self, given: Any) -> Generator[Any]:
        with self._errors():
            yield from given

    def close(self) -> None:
        """Close the channel."""
        with self._lock:
            self._closed = True
            if self._pid == os.getpid():  # in a fork the channel is still the parent's
                self._channel.close()

    def _call(self, path: str, response_type: type[Message], *, streamed: bool) -> Any:
        if self._closed:
            raise CallError(Code.CANCELLED, f"The connection to {self.target} is closed; open another.")
        if self._pid != os.getpid():
            self._open_in_child()
        key = (path, response_type, streamed)
        call = self._calls.get(key)
        if call is None:
            make = self._channel.unary_stream if streamed else self._channel.unary_unary
            call = self._calls[key] = make(
                path,
                request_serializer=lambda message: message.SerializeToString(),
                response_deserializer=response_type.FromString,
            )
        return call

    @contextmanager
    def _errors(self) -> Iterator[None]:
        try:
            yield
        except grpc.RpcError as error:
            raise _call_error(error, self.target, secure=self.tls is not None) from None
        except ValueError:
            if not self._closed:
                raise
            raise CallError(Code.CANCELLED, f"The connection to {self.target} was closed during the call.") from None


def _mend(message: str, target: str, *, secure: bool) -> str:
    if "http1.x server" in message:
        return f"{target} speaks HTTP and no gRPC; a server's gRPC port is another one, 8080 unless configured"
    if "WRONG_VERSION_NUMBER" in message:
        return f"{target} was reached, and speaks no TLS; write grpc://{target}, or have the server speak TLS"
    if "SSL" in message or "CERTIFICATE" in message.upper() or "handshake" in message.lower():
        return f"{target} was reached, and TLS failed; grpcs:// needs a server with TLS and its authority in `tls`"
    if message.endswith(_HUNG_UP) and secure:
        return (
            f"no server answers at {target}: it hung up after TLS was agreed on; if it wants a certificate of the "
            "caller's, give `certificate` and `key` in `tls`"
        )
    if message.endswith(_HUNG_UP):
        return (
            f"no server answers at {target}: it hung up on what is no TLS; if it speaks TLS, write grpcs://{target}, "
            "with its authority in `tls` where that is none of the well-known"
        )
    return f"no server answers at {target}; is the address right, and does it run?"


def _cause(message: str) -> str:
    """Return the end of gRPC's chain of reasons: "Connection refused".

    >>> _cause("last error: UNKNOWN: ipv4:127.0.0.1:1: Failed to connect to remote host: Connection refused")
    'Connection refused'
    """
    said = message.rpartition("last error: ")[2]
    return re.sub(r"^(?:[A-Z]+: )?(?:ipv[46]:\S+: )?(?:Failed to connect to remote host: )?", "", said)


def _call_error(error: Any, target: str, *, secure: bool) -> CallError:
    message = error.details() or ""
    trailers = dict(error.trailing_metadata() or ())
    if error.code() is grpc.StatusCode.UNAVAILABLE and message.startswith(_UNREACHED):
        message = f"{_mend(message, target, secure=secure)} ({_cause(message)})"
    if error.code() is grpc.StatusCode.UNAVAILABLE and _SILENT in message:
        message = f"The server at {target} has stopped answering ({message}): it hangs or is suspended, or the network "
        message += "to it is dead; see that it runs. A transfer goes on where it was when it is run again."
    if error.code() is grpc.StatusCode.DEADLINE_EXCEEDED and message == _OVERDUE:
        message = f"The server at {target} did not answer in the time that the call has: it is busy or hangs, or the "
        message += "network to it is slow; see that it runs. What was to be written may have been."
    if error.code() is grpc.StatusCode.RESOURCE_EXHAUSTED and (sizes := _TOO_LARGE.search(message)):
        message = (
            f"request: it has {sizes[1]} bytes, more than the {sizes[2]} that this server takes; send fewer nodes "
        )
        message += "in a call, or raise --max-message-bytes."
    facts = {key: str(value) for key, value in trailers.items() if key.startswith("mlmd-") or key == PUSHBACK}
    return CallError(int(error.code().value[0]), message, str(trailers.get("x-request-id", "")), facts)
