"""`mlmd doctor`: is everything as it should be, and what to do where it is not."""

import email.utils
import importlib.metadata
import platform
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import click
import google.protobuf
import grpc
from mlmd_schemas.pb import metadata_store_service_pb2 as mlmd
from mlmd_schemas.pb.v1 import server_pb2

from mlmd_client.calls import CallError
from mlmd_client.command_line.session import Session, command
from mlmd_client.command_line.statuses import FOUND_WRONG
from mlmd_client.download import read_range
from mlmd_client.finding import MLMD
from mlmd_client.tables import Table

CLOCK_SECONDS = 30.0
"""How far two clocks may be apart; signed requests are refused beyond 15 minutes."""
_TIMEOUT_SECONDS = 10.0


@dataclass(frozen=True, slots=True)
class Finding:
    """What one check found; `mend` says what to do, and is empty where nothing is wrong."""

    check: str
    found: str
    mend: str = ""


@click.command()
@command
def doctor(session: Session) -> None:
    """Check client, server, database, bytes and clocks; the exit status is 7 when something is wrong."""
    rows = [
        {"check": one.check, "ok": not one.mend, "found": one.found, "mend": one.mend} for one in _findings(session)
    ]
    session.say(Table(["check", "ok", "found", "mend"], rows))
    if not all(row["ok"] for row in rows):
        click.get_current_context().exit(FOUND_WRONG)


def _findings(session: Session) -> Iterator[Finding]:
    yield _client()
    info: Any = None
    for one in (_server, _database, _bytes):
        try:
            finding, info = one(session, info)
            yield finding
        except CallError as error:
            yield Finding(one.__name__.removeprefix("_"), error.message, _MENDS[one])
            if one is _server:
                return
    if info is not None and info.http_address:
        yield from _over_http(info.http_address)


def _client() -> Finding:
    version = importlib.metadata.version("mlmd-server")
    found = (
        f"mlmd {version}, Python {platform.python_version()}, grpcio {grpc.__version__}, "
        f"protobuf {google.protobuf.__version__}"
    )
    return Finding("client", found)


def _server(session: Session, _info: Any) -> tuple[Finding, Any]:
    began = time.perf_counter()
    service = session.store.service
    info = service.once("/mlmd.v1.Server/GetInfo", server_pb2.GetInfoRequest(), timeout_seconds=_TIMEOUT_SECONDS)
    milliseconds = (time.perf_counter() - began) * 1000
    found = f"{service.target}: {info.version}, store {info.store_uuid}, answered in {milliseconds:.1f} ms"
    mine = importlib.metadata.version("mlmd-server")
    mend = "" if info.version == mine else f"client {mine} and server {info.version} differ; upgrade the older one"
    return Finding("server", found, mend), info


def _database(session: Session, info: Any) -> tuple[Finding, Any]:
    began = time.perf_counter()
    answer = session.store.service.once(
        f"{MLMD}/GetArtifactTypes", mlmd.GetArtifactTypesRequest(), timeout_seconds=_TIMEOUT_SECONDS
    )
    milliseconds = (time.perf_counter() - began) * 1000
    return Finding("database", f"{len(answer.artifact_types)} artifact types read in {milliseconds:.1f} ms"), info


def _bytes(session: Session, info: Any) -> tuple[Finding, Any]:
    """Read the first byte of the newest artifact that has files."""
    for row in session.store.find("artifacts", order="-id", limit=20):
        from mlmd_client.command_line.inventory import _files

        files = _files(session, row["id"])
        for file in files:
            if file["bytes"]:
                read_range(session.store.service.transport, row["id"], file["path"], 0, 1)
                return Finding("bytes", f"read from artifact {row['id']}, {file['path']!r}"), info
    return Finding("bytes", "not tried: none of the newest artifacts has files here"), info


_MENDS: dict[Callable[..., Any], str] = {
    _server: "start the server, or name the right one with --server or MLMD_SERVER",
    _database: "look at the server's log and at /readyz on its HTTP port",
    _bytes: "look at --artifacts, its endpoint and credentials on the server; `mlmd-server verify` names what is gone",
}


def _over_http(address: str) -> Iterator[Finding]:
    try:
        began = time.time()
        opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        with opener.open(f"{address}/readyz", timeout=_TIMEOUT_SECONDS) as answer:
            date = answer.headers.get("date", "")
    except (urllib.error.URLError, OSError) as error:
        reason = getattr(error, "reason", error)
        mend = "open that port to this machine, or set --http-address of the server to what clients see"
        yield Finding("http", f"{address}: {reason}", mend)
        return
    yield Finding("http", f"{address} is ready")
    server_time = email.utils.parsedate_to_datetime(date).timestamp() if date else began
    apart = began - server_time
    mend = "" if abs(apart) < CLOCK_SECONDS else "set both clocks by NTP; signed requests are refused by a wrong clock"
    yield Finding("clock", f"{abs(apart):.0f} s apart", mend)
