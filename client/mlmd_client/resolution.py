"""What names mean: the version of a name, of whichever type has it, and the name that means one version alone."""

from typing import Any

from mlmd_schemas.aliases import LATEST
from mlmd_schemas.near_names import MEANT, MOST_NAMES, did_you_mean
from mlmd_schemas.pb import metadata_store_pb2 as pb
from mlmd_schemas.pb import metadata_store_service_pb2 as mlmd
from mlmd_schemas.pb.v1 import collections_pb2

from mlmd_client.calls import CallError
from mlmd_client.failures import NotFound, Refused, not_found, refused
from mlmd_client.finding import PAGE, literal, step_hint
from mlmd_client.names import Reference, parse_reference
from mlmd_client.service import Service
from mlmd_client.tables import Table, moment, table_of


def resolve(service: Service, reference: Reference) -> collections_pb2.Version:
    """Return the version that a reference means; raises NotFound, and Refused when two types have the name.

    >>> from mlmd_client.names import parse_reference
    >>> resolve(store.service, parse_reference("churn@1")).type_name
    'system.Model'
    """
    type_name, name = _type_and_name(service, reference)
    request = collections_pb2.ResolveVersionRequest(type_name=type_name, name=name)
    if reference.number:
        request.number = reference.number
    else:
        request.alias = reference.alias
    version = service.read(request, collections_pb2.ResolveVersionResponse).version
    return version


def _type_and_name(service: Service, reference: Reference) -> tuple[str, str]:
    """Return type and name of the collection that a reference means; TYPE/NAME in full comes first."""
    name = reference.name
    if reference.type_name:
        return reference.type_name, name
    found = _called(service, name)
    if name in found:
        type_name, _, name = name.partition("/")
        return type_name, name
    if len(found) > 1:
        written = reference.written or name
        choices = " or ".join(f"{one.partition('/')[0]}/{written}" for one in sorted(found))
        raise refused(f"name: {name!r} is the name of several things; write {choices}.")
    if found:
        return found[0].partition("/")[0], name
    if reference.written not in ("", name) and _called(service, reference.written):
        mend = f"; {MEANT} {_surely(reference.written)!r}?"
    else:
        mend = step_hint(service, name) or _near(service, name) or "; log_dataset, log_model or log_artifact make one."
    raise not_found(f"name: there is no collection {name!r} of any type{mend}")


def sure_name(service: Service, type_name: str, name: str) -> str:
    """Return what to write before `@` for a collection: its name, with its type before it where that alone is in doubt.

    >>> sure_name(store.service, "system.Model", "churn")
    'churn'
    """
    try:
        meant = _type_and_name(service, parse_reference(f"{name}@{LATEST}"))
    except CallError:  # several have the name, or nobody answers; with its type it is always understood
        meant = ("", "")
    return name if meant == (type_name, name) else f"{type_name}/{name}"


def _called(service: Service, name: str) -> list[str]:
    """Return the collections, `TYPE/NAME`, whose name is this or that are this as a whole."""
    alike = f"(name = {literal(name)} OR ENDS_WITH(name, {literal('/' + name)}))"
    options = pb.ListOperationOptions(filter_query=f"type = 'mlmd.Collection' AND {alike}", max_result_size=PAGE)
    contexts = service.read(mlmd.GetContextsRequest(options=options), mlmd.GetContextsResponse).contexts
    return [one.name for one in contexts if name in (one.name, one.name.partition("/")[2])]


def _surely(name: str) -> str:
    """Return what to write for a name: itself, or with its alias where it looks like a version of another."""
    return name if parse_reference(name).name == name else f"{name}@{LATEST}"


def _near(service: Service, name: str) -> str:
    """Ask whether a name with versions was meant that begins with the same letter."""
    first = name[:1].replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_")
    wanted = f"type = 'mlmd.Collection' AND name LIKE {literal(f'%/{first}%')}"
    options = pb.ListOperationOptions(filter_query=wanted, max_result_size=MOST_NAMES)
    contexts = service.read(mlmd.GetContextsRequest(options=options), mlmd.GetContextsResponse).contexts
    return did_you_mean(name, [_surely(context.name.partition("/")[2]) for context in contexts])


def version_of(service: Service, artifact: pb.Artifact) -> collections_pb2.Version | None:
    """Return the version that an artifact is, None when it is none.

    >>> version_of(store.service, store["churn@1"].message).number
    1
    """
    if isinstance(artifact.name, bytes) or isinstance(artifact.type, bytes):  # not UTF-8, as Google's server stores it
        return None
    name, _, number = artifact.name.rpartition("/")
    if not name or not number.isdecimal() or "/" in artifact.type:
        return None
    try:
        found = resolve(service, Reference(name, artifact.type, number=int(number)))
    except (NotFound, Refused):
        return None
    return found if found.artifact_id == artifact.id else None


def versions_table(service: Service, reference: Reference) -> Table:
    """Return the versions of a name, newest first; see `Store.versions`.

    >>> versions_table(store.service, Reference("churn", "system.Model")).column("number")
    [2, 1]
    """
    type_name, name = _type_and_name(service, reference)
    request = collections_pb2.ListVersionsRequest(type_name=type_name, name=name, page_size=PAGE)
    written = sure_name(service, type_name, name)
    rows: list[dict[str, Any]] = []
    while True:
        page = service.read(request, collections_pb2.ListVersionsResponse)
        rows += [
            {
                "ref": f"{written}@{one.number}",
                "number": one.number,
                "aliases": list(one.aliases),
                "created": moment(one.create_ms),
                "id": one.artifact_id,
            }
            for one in page.versions
        ]
        request.page_token = page.next_page_token
        if not page.next_page_token:
            return table_of(rows, f"{type_name} {name}")
