"""`mlmd-server verify | gc | why | sweep | purge | claim | relocate`: the care of artifacts, beside servers or without.

What was found goes to standard output, a line each (`--json`: a JSON object each); a summary goes to standard error.
"""

import argparse
import sys
from collections.abc import Callable, Iterator

from mlmd_artifact_store.artifacts import Artifacts
from mlmd_artifact_store.garbage import explain
from mlmd_artifact_store.garbage_collection import BATCH, collect, described, plan
from mlmd_artifact_store.keep_rules import Rules
from mlmd_artifact_store.removal import Held
from mlmd_artifact_store.requests import Requests
from mlmd_artifact_store.sweeping import sweep
from mlmd_artifact_store.verification import Verdict, verify
from mlmd_schemas.caller import Caller
from mlmd_schemas.counting import counted
from mlmd_schemas.errors import InvalidArgument, NotFound, StoreError

from mlmd_server.claiming import claim
from mlmd_server.config import Config
from mlmd_server.durations import duration_seconds
from mlmd_server.findings import Output
from mlmd_server.purging import purge_nodes
from mlmd_server.relocating import relocate
from mlmd_server.serve import set_up_log
from mlmd_server.statuses import FAILED, WRONG_USE
from mlmd_server.surroundings import sqlite_file
from mlmd_server.wiring import tenant_artifacts, tenant_stores

Work = Callable[[Requests, Caller, argparse.Namespace, Output], int]


def care(config: Config, command: str, arguments: argparse.Namespace) -> int:
    """Run a command on the default database and on those of the tenants; returns the exit status."""
    set_up_log(config)
    stores = tenant_stores(config)
    status = 0
    try:
        artifacts = tenant_artifacts(config, stores)
        tenants = _tenants(config, stores.names, arguments.tenant, command)
        for tenant in tenants if makes_store(command, arguments) else _with_store(config, tenants, arguments.tenant):
            caller = Caller(subject="mlmd-server", tenant=tenant, request_id=command)
            output = Output(arguments.json, tenant)
            try:
                status = max(status, COMMANDS[command](artifacts.of(tenant), caller, arguments, output))
            except InvalidArgument:
                raise
            except StoreError as error:  # what is wrong with one tenant's store does not keep the others'
                whose = f" (tenant {tenant})" if len(tenants) > 1 else ""
                print(f"mlmd-server: {error.message}{whose}", file=sys.stderr)
                status = FAILED
    except StoreError as error:
        print(f"mlmd-server: {error.message}", file=sys.stderr)
        return WRONG_USE if isinstance(error, InvalidArgument) else FAILED
    finally:
        stores.close()
    return status


def _tenants(config: Config, names: list[str], chosen: str | None, command: str) -> list[str]:
    if chosen is not None:
        if chosen not in names:
            raise InvalidArgument(f"tenant: there is no tenant {chosen!r}; there are {', '.join(map(repr, names))}.")
        return [chosen]
    if command in ("why", "purge"):
        if "" not in names:
            raise InvalidArgument("tenant: there is no default database; say whose nodes are meant with --tenant.")
        return [""]
    if command == "relocate":  # what was copied is the place of those who have none of their own
        apart = {name for name, tenant in config.tenants if tenant.bucket_prefix}
        return [name for name in names if name not in apart]
    return names


def makes_store(command: str, arguments: argparse.Namespace) -> bool:
    """Whether a command may be the first to open a database: a new one in the place of one that was lost."""
    return command == "claim" and bool(arguments.take_over)


def _with_store(config: Config, tenants: list[str], chosen: str | None) -> list[str]:
    """Return the tenants whose database is there, since an empty one in a wrong place would be found in good order.

    A tenant whose first caller has not come yet has none. Raises NotFound for the default database, and for a tenant
    that was named.
    """
    urls = {"": config.database.url, **{name: tenant.database for name, tenant in config.tenants}}
    there = []
    for tenant in tenants:
        file = sqlite_file(urls[tenant])
        if file is None or file.exists():
            there.append(tenant)
        elif tenant in ("", chosen):
            whose = f" of tenant {tenant}" if tenant else ""
            raise NotFound(
                f"database: there is no store{whose} at {str(file.absolute())!r}; "
                "go to the folder that has it, or name it with --database or MLMD_DATABASE."
            )
    return there


def _verify(requests: Requests, caller: Caller, arguments: argparse.Namespace, output: Output) -> int:
    if not 1 <= arguments.parallel <= 256:
        raise InvalidArgument(f"parallel: {arguments.parallel} is not 1 to 256.")
    files, size_bytes, damaged, unread = 0, 0, 0, list[int]()
    again, parallel = duration_seconds(arguments.not_since, "not-since"), arguments.parallel
    found_files = verify(
        requests.artifacts, again_after_seconds=again, parallel=parallel, caller=caller, passed_over=unread
    )
    for found in found_files:
        files += 1
        size_bytes += found.size_bytes
        if found.verdict is not Verdict.SAME:
            damaged += 1
            text = f"{found.verdict.value}: artifact {found.artifact_id}, {found.path}"
            output.line(text, artifact_id=found.artifact_id, path=found.path, verdict=found.verdict.value)
    output.summary(f"read {counted(files, 'file')}, {counted(size_bytes, 'byte')}; {damaged} missing or changed")
    if unread:
        output.summary(
            f"did not read the files of {counted(len(unread), 'artifact')} (the first is {unread[0]}): they are "
            "elsewhere, below none of --artifacts-external-roots"
        )
    return FAILED if damaged else 0


def rules_of(arguments: argparse.Namespace) -> Rules:
    """Return the keep rules of a command line; raises InvalidArgument."""
    if arguments.keep_newest < 0:
        raise InvalidArgument(f"keep-newest: {arguments.keep_newest} is below 0.")
    younger = duration_seconds(arguments.keep_younger_than, "keep-younger-than")
    return Rules(arguments.keep_newest, int(younger), not arguments.without_origins)


def _gc(requests: Requests, caller: Caller, arguments: argparse.Namespace, output: Output) -> int:
    artifacts = requests.artifacts
    chosen = plan(artifacts, rules_of(arguments), caller=caller)
    if arguments.dry_run:
        batches = _dry(artifacts, chosen.garbage, caller)
    else:
        batches = collect(artifacts, chosen.garbage, arguments.reason, caller, chosen.keeping)
    count, size_bytes, did = 0, 0, "would delete" if arguments.dry_run else "deleted"
    for held in (one for batch in batches for one in batch):
        count += 1
        size_bytes += held.size_bytes
        size = f"{counted(held.file_count, 'file')}, {counted(held.size_bytes, 'byte')}"
        text = f"{did} artifact {held.artifact_id}: {size}, {held.told_uri or 'purged before'}"
        output.line(
            text,
            artifact_id=held.artifact_id,
            file_count=held.file_count,
            size_bytes=held.size_bytes,
            root_uri=held.told_uri,
            deleted=not arguments.dry_run,
        )
    kept = f"{chosen.kept_count} {'is' if chosen.kept_count == 1 else 'are'} kept"
    output.summary(f"{did} {counted(count, 'artifact')}, {counted(size_bytes, 'byte')}; {kept}")
    return 0


def _dry(artifacts: Artifacts, garbage: list[int], caller: Caller) -> Iterator[list[Held]]:
    for start in range(0, len(garbage), BATCH):
        yield described(artifacts, garbage[start : start + BATCH], caller)


def _why(requests: Requests, caller: Caller, arguments: argparse.Namespace, output: Output) -> int:
    rules = rules_of(arguments)
    told = requests.artifacts.store.database.read(caller, lambda tx: explain(tx, arguments.artifact, rules))
    reasons = [reason.text for reason in told.reasons]
    output.line(told.summary, artifact_id=arguments.artifact, kept=told.kept, reasons=reasons, summary=told.summary)
    return 0


def _sweep(requests: Requests, caller: Caller, arguments: argparse.Namespace, output: Output) -> int:
    swept = sweep(requests.artifacts, requests.grace_seconds, caller)
    for artifact_id in swept.abandoned:
        output.line(f"gave up the upload of artifact {artifact_id}", artifact_id=artifact_id, done="abandoned")
    for artifact_id in swept.deleted:
        output.line(f"finished the deletion of artifact {artifact_id}", artifact_id=artifact_id, done="deleted")
    for failure in swept.failures:
        output.line(f"failed: {failure}", failure=failure, done="failed")
    more = f"; {swept.failure_count} failed" if swept.failure_count else ""
    gave_up, finished = counted(len(swept.abandoned), "upload"), counted(len(swept.deleted), "deletion")
    output.summary(f"gave up {gave_up}, finished {finished}{more}")
    return FAILED if swept.failure_count else 0


COMMANDS: dict[str, Work] = {
    "verify": _verify,
    "gc": _gc,
    "why": _why,
    "sweep": _sweep,
    "purge": purge_nodes,
    "claim": claim,
    "relocate": relocate,
}
