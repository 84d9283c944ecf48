"""`mlmd doctor`: is everything as it should be, and what to do where it is not.

| check | what is looked at |
|---|---|
| client, server, versions | what runs here and there, and whether the two are of one release |
| clock | how far the server's clock is from this machine's |
| database, schema | a round trip, and the version of the tables against the one that the server's code expects |
| object store, object store clock | a small object that the server writes, reads back and deletes, and its time |
| bytes | the first byte of a recent file, fetched by this machine the way `mlmd get` would |
| http | the HTTP listener, from this machine |
"""

import http.client
import importlib.metadata
import platform
import re
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass

import click
import google.protobuf
import grpc
from mlmd_schemas.errors import Code
from mlmd_schemas.pb.v1 import server_pb2

from mlmd_client.calls import CallError
from mlmd_client.command_line.inventory import files_of
from mlmd_client.command_line.session import Session, command, making
from mlmd_client.command_line.statuses import FOUND_WRONG
from mlmd_client.download import read_range
from mlmd_client.file_doors import door_of
from mlmd_client.tables import Table

CLOCK_SECONDS = 30.0
"""How far two clocks may be apart; signed requests are refused beyond 15 minutes."""
_TIMEOUT_SECONDS = 10.0
_DISTRIBUTION = "mlmd-server"
_START = "start the server, or name the right one with --server or MLMD_SERVER"
_TOKEN = "give a token of the server's with MLMD_TOKEN; `--auth` of the server names the file that has them"
_BYTES = "see that this machine reaches that address; `mlmd-server verify` names files that are gone"
_OPEN = "open that port to this machine, or set --http-address of the server to what its clients see"
_NO_HTTP = "start the server with --http-port: its artifacts are in a folder, and without HTTP no file gets there"


@dataclass(frozen=True, slots=True)
class Finding:
    """What one check found; `mend` says what to do, and is empty where nothing is wrong."""

    check: str
    found: str
    mend: str = ""


@click.command()
@command
@making
def doctor(session: Session) -> None:
    """Check server, database, object store, clocks and versions; status 7 when something is wrong."""
    rows = [
        {"check": one.check, "ok": not one.mend, "found": one.found, "mend": one.mend} for one in _findings(session)
    ]
    session.say(Table(["check", "ok", "found", "mend"], rows))
    if not all(row["ok"] for row in rows):
        click.get_current_context().exit(FOUND_WRONG)


def _findings(session: Session) -> Iterator[Finding]:
    mine = importlib.metadata.version(_DISTRIBUTION)
    yield Finding(
        "client",
        f"{_DISTRIBUTION} {mine}, Python {platform.python_version()}, grpcio {grpc.__version__}, "
        f"protobuf {google.protobuf.__version__}",
    )
    try:
        service = session.store.service  # a store of this process is opened by it
        began = time.perf_counter()
        info = service.once(server_pb2.GetInfoRequest(), server_pb2.GetInfoResponse, timeout_seconds=_TIMEOUT_SECONDS)
    except CallError as error:
        yield _refused("server", error, _START)
        return
    milliseconds = (time.perf_counter() - began) * 1000
    yield Finding("server", f"{service.target}: store {info.store_uuid}, answered in {milliseconds:.1f} ms")
    yield _versions(mine, info.version)
    yield from _behind(session, info)
    yield from _fetched(session)
    if info.http_address:
        yield _over_http(info.http_address)


def _versions(mine: str, its: str) -> Finding:
    if mine == its:
        return Finding("versions", f"client and server are both {mine}")
    older = f"the client: pip install --upgrade {_DISTRIBUTION}" if _order(mine) < _order(its) else "the server"
    return Finding("versions", f"client {mine} and server {its} differ", f"upgrade {older}")


def _order(version: str) -> list[int]:
    return [int(number) for number in re.findall(r"\d+", version)]


def _behind(session: Session, info: server_pb2.GetInfoResponse) -> Iterator[Finding]:
    """Let the server look at what is behind it, and hold its clock against ours."""
    asked = time.time()
    try:
        seen = session.store.service.once(
            server_pb2.DiagnoseRequest(), server_pb2.DiagnoseResponse, timeout_seconds=3 * _TIMEOUT_SECONDS
        )
    except CallError as error:
        if error.code == Code.UNIMPLEMENTED:
            yield Finding("database", "this server does not look at its own parts yet", "upgrade the server")
        else:
            yield _refused("database", error, "look at the server's log and at /readyz on its HTTP port")
        return
    yield _clock(asked, seen.server_time_ms / 1000, time.time())
    for one in seen.findings:
        yield Finding(one.part, one.found, "" if one.ok else one.mend)
    if door_of(session.store.service.transport) is None and not info.http_address:
        mend = _NO_HTTP if seen.bytes_over_http else ""
        yield Finding("http", "the server has no HTTP listener", mend)


def _clock(asked: float, its: float, answered: float) -> Finding:
    """Compare clocks; the server's was read between the two of ours, and nearer to the answer."""
    apart = its - answered if its > answered else min(0.0, its - asked)
    seconds = f"{abs(apart):.0f} s {'ahead of' if apart > 0 else 'behind'}" if round(apart) else "the same as"
    mend = "" if abs(apart) < CLOCK_SECONDS else "set the clocks of server and client by NTP; times of runs are wrong"
    return Finding("clock", f"the server's is {seconds} this machine's", mend)


def _fetched(session: Session) -> Iterator[Finding]:
    """Read the first byte of the newest artifact that has files."""
    try:
        for row in session.store.find("artifacts", order="-id", limit=20):
            for file in files_of(session, row["id"]):
                if file["bytes"]:
                    read_range(session.store.service.transport, row["id"], file["path"], 0, 1)
                    yield Finding("bytes", f"read from artifact {row['id']}, {file['path']!r}")
                    return
    except CallError as error:
        yield _refused("bytes", error, _BYTES)
        return
    yield Finding("bytes", "not tried: none of the newest artifacts has files here")


def _over_http(address: str) -> Finding:
    try:
        opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        with opener.open(f"{address}/readyz", timeout=_TIMEOUT_SECONDS):
            return Finding("http", f"{address} is ready")
    except urllib.error.HTTPError as error:
        return Finding("http", f"{address}/readyz: {error.code}", "look at the rows above and at the server's log")
    except (OSError, http.client.HTTPException) as error:  # also from something that speaks no HTTP
        return Finding("http", f"{address}: {getattr(error, 'reason', error)!s:.100}", _OPEN)


def _refused(check: str, error: CallError, otherwise: str) -> Finding:
    """Return the finding for a refusal, whose sentence has the mend after a semicolon where it knows one."""
    if error.code in (Code.UNAUTHENTICATED, Code.PERMISSION_DENIED):
        return Finding(check, error.message.rstrip("."), _TOKEN)
    if check == "server" and error.code == Code.UNAVAILABLE:
        return Finding(check, error.message.rstrip("."), otherwise)
    found, _, mend = error.message.partition("; ")
    return Finding(check, found.rstrip("."), mend.rstrip(".") or otherwise)
