"""The server inside another process: the same parts without listeners, behind the client's transport.

Every call goes through the same dispatcher as on the wires, so that every service and every rule is the same. The
client finds the two functions by the entry points of the group `mlmd.transports`.
"""

import logging
import os
import shutil
import tempfile
import threading
import time
import weakref
from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import TypeVar
from urllib.parse import quote

from google.protobuf.message import Message
from mlmd_api.call import Call
from mlmd_api.callers import Identity
from mlmd_api.codec import BINARY
from mlmd_api.journal import Journal
from mlmd_api.status import CALLERS_FAULT
from mlmd_api.streaming import Answer, Stream
from mlmd_api.tenants import DEFAULT_TENANT
from mlmd_artifact_store.handovers import give_out, take_in
from mlmd_client.calls import Answers, CallError, Metadata
from mlmd_client.file_doors import Digests, HandedFile
from mlmd_metadata_store.addresses import parse_url
from mlmd_schemas.errors import Code, InvalidArgument, StoreError
from mlmd_schemas.pb import metadata_store_pb2 as pb

from mlmd_server.config import Config
from mlmd_server.google_config import Source, from_connection
from mlmd_server.housekeeping import Housekeeping
from mlmd_server.memory import bound_memory
from mlmd_server.reaper import reap_opened
from mlmd_server.settings import load_config
from mlmd_server.wiring import Parts, assemble

M = TypeVar("M", bound=Message)
DEFAULT_FOLDER = "mlmd-data"
_LOG = logging.getLogger("mlmd.embedded")
_NO_LIMIT_BYTES = 2**31 - 1
_HONOURED = (
    "MLMD_ARTIFACTS",
    "MLMD_DATABASE_",
    "MLMD_ENABLE_UPGRADE",
    "MLMD_GOOGLE_TEXT",
    "MLMD_POOL_SIZE",
    "MLMD_SWEEP_",
    "MLMD_WEBHOOK_",
)


class QuietJournal(Journal):
    """Says nothing of what the caller hears anyway; the cause behind an answer that does not tell it is logged."""

    def note(
        self,
        call: Call,
        identity: Identity,
        answer: Answer,
        seconds: float,
        error: Exception | None,
        moved: tuple[int, int] | None = None,
    ) -> None:
        """Log the cause when there is one."""
        if error is None or answer.code in CALLERS_FAULT:
            return
        if not isinstance(error, StoreError) or error.__cause__ is not None:
            _LOG.error("%s failed (request id %s)", call.path, answer.request_id, exc_info=error)


class EmbeddedTransport:
    """Calls of a store in this process; safe to use from many threads. See `mlmd_client.calls.Transport`."""

    def __init__(self, config: Config, target: str, scratch: Path | None = None, *, keeps_house: bool = False) -> None:
        """Open the store; raises CallError. The folder `scratch` is thrown away when nobody has the transport.

        One that `keeps_house` does by a thread what servers do beside answering.
        """
        self.target = target
        self._keeps_house = keeps_house
        self._config = config
        self._scratch = scratch
        self._closed = False
        self._assemble()

    def _assemble(self) -> None:
        with _call_errors(tells_place=self._config.database.url.startswith("mysql")):  # SQLite's errors name the file
            self._parts = assemble(self._config, QuietJournal())
        housekeeping: Housekeeping | None = None
        if not self._config.database.read_only:
            reap_opened(self._parts.stores)  # nobody else does it for a store that no server serves
            if self._keeps_house:
                housekeeping = Housekeeping(self._parts, self._config)
                housekeeping.start()
        self._pid = os.getpid()
        self._release = weakref.finalize(self, _release, self._parts, housekeeping, self._scratch, self._pid)

    @property
    def parts(self) -> Parts:
        """The parts of the store, those of this very process after a fork too; raises CallError when closed."""
        if self._closed:
            raise self._is_closed()
        if self._pid != os.getpid():
            _INHERITED.append(self._parts)
            self._scratch = None  # which is the parent's to throw away
            self._assemble()
        return self._parts

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
        dispatcher = self.parts.dispatcher
        answer = dispatcher.answer(_call(path, request, timeout_seconds, metadata))
        if answer.code is not Code.OK:
            raise CallError(int(answer.code), answer.message, answer.request_id, answer.facts)
        return response_type.FromString(answer.body)

    def stream(
        self,
        path: str,
        request: Message,
        response_type: type[M],
        *,
        timeout_seconds: float | None = None,
        metadata: Metadata = (),
    ) -> Answers[M]:
        """Make one streaming call; raises CallError while iterating."""
        call = _call(path, request, timeout_seconds, metadata)
        stream = self.parts.dispatcher.stream(call)
        return Answers(self._messages(call, stream, response_type, timeout_seconds), stream.leave)

    def _messages(
        self, call: Call, stream: Stream, response_type: type[M], timeout_seconds: float | None
    ) -> Generator[M]:
        with _time_limit(timeout_seconds, stream.leave):
            try:
                for body in stream:
                    yield response_type.FromString(body)
            finally:
                stream.close()
        if self._closed:
            raise self._is_closed()
        if call.deadline is not None and time.monotonic() > call.deadline:
            raise CallError(Code.DEADLINE_EXCEEDED, "The time of the stream is over.", stream.request_id)
        if stream.end.code is not Code.OK:
            raise CallError(int(stream.end.code), stream.end.message, stream.request_id, stream.end.facts)

    def take_in(self, artifact_id: int, files: Sequence[HandedFile]) -> Sequence[Digests]:
        """Copy files of an upload into the folder of artifacts; see `mlmd_client.file_doors.FileDoor`."""
        with _call_errors():
            return take_in(self.parts.artifacts.of(DEFAULT_TENANT).artifacts, artifact_id, files)

    def give_out(self, artifact_id: int, files: Sequence[HandedFile]) -> Sequence[Digests]:
        """Copy files out of the folder of artifacts."""
        with _call_errors():
            return give_out(self.parts.artifacts.of(DEFAULT_TENANT).artifacts, artifact_id, files)

    def read_file(self, artifact_id: int, path: str, start: int = 0, length: int | None = None) -> Iterator[bytes]:
        """Yield bytes of a file, unverified."""
        with _call_errors():
            artifacts = self.parts.artifacts.of(DEFAULT_TENANT).artifacts
            yield from artifacts.read_range(artifact_id, path, start, length)

    def bound_memory(self) -> None:
        """Bound what the C libraries of this process keep, for a process that does nothing but use the store."""
        bound_memory()

    def close(self) -> None:
        """End every stream and close the database's connections."""
        self._closed = True
        self._release()

    def _is_closed(self) -> CallError:
        return CallError(Code.CANCELLED, f"The store {self.target} is closed; open another.")


_INHERITED: list[Parts] = []
"""What a fork got from its parent: kept, because the end of a connection would be told to the database."""


def open_embedded(target: str | None) -> EmbeddedTransport:
    """Open a database by URL, or a folder; None is `./mlmd-data`. Raises CallError.

    Options that say how databases and bytes are reached (`MLMD_ARTIFACTS`, `MLMD_DATABASE_SSL_CA`, …) are taken from
    the environment as the server takes them. The bytes of artifacts are beside the file of a SQLite database.
    """
    with _call_errors():
        if target is not None and "://" in target:
            shown = parse_url(target)
            folder = Path(shown.database or "").absolute().parent if shown.drivername == "sqlite" else None
            url = target if folder is None else _sqlite_url(Path(shown.database or ""))
            config = _config(url, folder or Path(DEFAULT_FOLDER))
            return EmbeddedTransport(config, shown.render_as_string(hide_password=True), keeps_house=True)
        folder = Path(target or DEFAULT_FOLDER).expanduser()
        if folder.is_file():
            raise InvalidArgument(f"target: {target!r} is a file; name its folder, or write sqlite:///{target}.")
        return EmbeddedTransport(_config(_sqlite_url(folder / "metadata.db"), folder), str(folder), keeps_house=True)


def open_connection(
    connection: pb.ConnectionConfig, enable_upgrade: bool = False, downgrade_to: int = -1
) -> EmbeddedTransport:
    """Open what MLMD's ConnectionConfig names; raises CallError.

    A database in memory, which is what `fake_database` asks for, lives as long as the transport.
    """
    with _call_errors():
        source = from_connection(connection)
        scratch = None if source.url else Path(tempfile.mkdtemp(prefix="mlmd-memory-"))
        try:
            return _open_source(replace(source, enable_upgrade=enable_upgrade, downgrade_to=downgrade_to), scratch)
        except BaseException:
            if scratch is not None:
                shutil.rmtree(scratch, ignore_errors=True)  # what went wrong is told
            raise


def _open_source(source: Source, scratch: Path | None) -> EmbeddedTransport:
    if scratch is None:
        url = source.url if source.url.startswith("mysql") else _sqlite_url(Path(parse_url(source.url).database or ""))
        target = parse_url(source.url).render_as_string(hide_password=True)
    else:
        url, target = _sqlite_url(scratch / "metadata.db"), "a database in memory"
    config = _config(url, scratch or Path(DEFAULT_FOLDER))
    database = replace(
        config.database,
        enable_upgrade=source.enable_upgrade,
        downgrade_to=source.downgrade_to,
        create=source.create,
        read_only=source.read_only,
        mysql=source.mysql or config.database.mysql,
    )
    return EmbeddedTransport(replace(config, database=database), target, scratch)


def _config(url: str, folder: Path) -> Config:
    environment = {name: value for name, value in os.environ.items() if name.startswith(_HONOURED)}
    environment.setdefault("MLMD_ARTIFACTS", str(folder.absolute() / "artifacts"))
    config = load_config({"database": url}, environment, None)
    listen = replace(config.listen, grpc_port=0, http_port=0, max_message_bytes=_NO_LIMIT_BYTES)
    return replace(config, listen=listen)


def _sqlite_url(path: Path) -> str:
    """Return the URL of a file that stays the same when the process changes its folder."""
    return f"sqlite:///{quote(str(path.absolute()))}"


@contextmanager
def _call_errors(*, tells_place: bool = False) -> Iterator[None]:
    try:
        yield
    except StoreError as error:
        places = getattr(error, "__notes__", ()) if tells_place else ()
        raise CallError(int(error.code), " ".join((error.message, *places)), facts=error.facts) from error


def _call(path: str, request: Message, timeout_seconds: float | None, metadata: Metadata) -> Call:
    deadline = None if timeout_seconds is None else time.monotonic() + timeout_seconds
    named = {name.lower(): value for name, value in metadata}
    return Call(path, BINARY.write(request), named, "embedded", deadline)


@contextmanager
def _time_limit(seconds: float | None, act: Callable[[], None]) -> Iterator[None]:
    """Act when the block is still running after so many seconds."""
    if seconds is None:
        yield
        return
    timer = threading.Timer(seconds, act)
    timer.daemon = True
    timer.start()
    try:
        yield
    finally:
        timer.cancel()


def _release(parts: Parts, housekeeping: Housekeeping | None, scratch: Path | None, owner: int) -> None:
    """Give back what a transport held, in the process that took it."""
    if os.getpid() != owner:
        return
    if housekeeping is not None:
        housekeeping.stop()
    parts.dispatcher.end_streams()
    parts.stores.close()
    if scratch is not None:
        shutil.rmtree(scratch, ignore_errors=True)  # at the end of a process nobody hears of it any more
