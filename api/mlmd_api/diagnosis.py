"""`mlmd.v1.Server/Diagnose`: the server looks at its database and at the place of its bytes, as a caller uses them."""

import contextlib
import time
from collections.abc import Iterator

from mlmd_artifact_store.probing import probe
from mlmd_schemas.caller import Caller, Role
from mlmd_schemas.errors import DataLoss, StoreError
from mlmd_schemas.pb.v1 import server_pb2 as v1

from mlmd_api.artifacts import TenantArtifacts
from mlmd_api.methods import Method
from mlmd_api.tenants import TenantStores

MOST_APART_MS = 30_000
"""How far clocks may be apart: ten of these, and object stores begin to refuse what is signed."""
_DATABASE = "see that the database runs and that --database names it; the server's log has its own words"
_SCHEMA = "restore a backup, or give the server another database"
_BYTES = "look at --artifacts, its endpoint and credentials on the server"
_CLOCK = "set the clocks of the server and of the object store by NTP; signed requests are refused by a wrong clock"


def diagnosis_methods(stores: TenantStores, artifacts: TenantArtifacts) -> list[Method]:
    """Return the method that looks at the parts of the caller's tenant."""

    def diagnose(caller: Caller, request: v1.DiagnoseRequest) -> v1.DiagnoseResponse:
        findings = list(_database(stores, caller))
        if findings[0].ok:  # else nobody can tell whether what is at the place of the bytes is ours
            findings += _bytes(artifacts, caller)
        return v1.DiagnoseResponse(
            server_time_ms=time.time_ns() // 1_000_000,
            findings=findings,
            bytes_over_http=_over_http(artifacts, caller),
        )

    shapes = v1.DiagnoseRequest, v1.DiagnoseResponse
    return [Method("mlmd.v1.Server", "Diagnose", *shapes, Role.READER, diagnose)]


def _database(stores: TenantStores, caller: Caller) -> Iterator[v1.PartFinding]:
    began = time.perf_counter()
    try:
        store = stores.of(caller.tenant)
        with contextlib.suppress(DataLoss):  # it answers; what is lost is found below, by name
            store.ping()
    except StoreError as error:
        yield _refused("database", error, _DATABASE)
        return
    milliseconds = (time.perf_counter() - began) * 1000
    yield v1.PartFinding(part="database", ok=True, found=f"answered in {milliseconds:.1f} ms")
    try:
        condition = store.condition()
    except StoreError as error:
        yield _refused("schema", error, _SCHEMA)
        return
    yield v1.PartFinding(part="schema", ok=not condition.mend, found=condition.found, mend=condition.mend)


def _bytes(artifacts: TenantArtifacts, caller: Caller) -> Iterator[v1.PartFinding]:
    part = "object store"
    began = time.perf_counter()
    try:
        writes = Role.WRITER in caller.roles
        tried = artifacts.errands.done(lambda: probe(artifacts.of(caller.tenant).artifacts, write=writes))
    except StoreError as error:
        yield _refused(part, error, _BYTES)
        return
    milliseconds = (time.perf_counter() - began) * 1000
    if not tried.written:
        found = f"{tried.uri} can be read; writing was not tried, for the caller may not write"
        yield v1.PartFinding(part=part, ok=True, found=found)
        return
    found = f"{tried.uri}: {tried.size_bytes} bytes written, read back and deleted in {milliseconds:.1f} ms"
    yield v1.PartFinding(part=part, ok=True, found=found)
    seconds, ok = tried.apart_ms / 1000, abs(tried.apart_ms) < MOST_APART_MS
    direction = "ahead of" if seconds > 0 else "behind"
    found = f"{abs(seconds):.0f} s {direction} the server's" if round(seconds) else "the same as the server's"
    yield v1.PartFinding(part="object store clock", ok=ok, found=found, mend="" if ok else _CLOCK)


def _over_http(artifacts: TenantArtifacts, caller: Caller) -> bool:
    try:
        return artifacts.of(caller.tenant).artifacts.blobs.presigner is None
    except StoreError:
        return False


def _refused(part: str, error: StoreError, otherwise: str) -> v1.PartFinding:
    """Return the finding for a refusal, whose sentence has the mend after a semicolon where it knows one."""
    found, _, mend = error.message.partition("; ")
    return v1.PartFinding(part=part, found=found.rstrip("."), mend=mend.rstrip(".") or otherwise)
