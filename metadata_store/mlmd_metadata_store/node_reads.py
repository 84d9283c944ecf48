"""Nodes by id, external id, URI, and type and name (mlmd-read contract, 2.5)."""

from collections.abc import Iterator
from functools import partial
from typing import Any

import sqlalchemy as sa
from google.protobuf.unknown_fields import UnknownFieldSet
from mlmd_schemas.errors import InvalidArgument
from mlmd_schemas.pb import metadata_store_pb2 as pb
from mlmd_schemas.pb import metadata_store_service_pb2 as service
from mlmd_schemas.tables.v10 import ARTIFACT, NODE_TABLES, TYPE, Kind

from mlmd_metadata_store.external_ids import rows_by_external_id
from mlmd_metadata_store.node_rows import READERS, nodes_by_id, nodes_of_rows
from mlmd_metadata_store.rpc import Rpc, mlmd_read
from mlmd_metadata_store.transaction import Transaction
from mlmd_metadata_store.type_reads import types_by_id

_RETIRED_URI_FIELD = 1
_IDS: sa.BindParameter[Any] = sa.bindparam("ids", expanding=True)
_BY_EXTERNAL_ID = {
    kind: sa.select(*reader.columns).where(NODE_TABLES[kind].node.c.external_id.in_(_IDS))
    for kind, reader in READERS.items()
}
_BY_URI = sa.select(*READERS[Kind.ARTIFACT].columns).where(ARTIFACT.c.uri.in_(_IDS))
_URI_COLUMN = [column.key for column in READERS[Kind.ARTIFACT].columns].index("uri")


def _by_type_and_name(kind: Kind, versioned: bool) -> sa.Select[Any]:
    node = NODE_TABLES[kind].node
    version = TYPE.c.version == sa.bindparam("version") if versioned else TYPE.c.version.is_(None)
    return (
        sa.select(*READERS[kind].columns, TYPE.c.name, TYPE.c.version)
        .join_from(TYPE, node, node.c.type_id == TYPE.c.id)
        .where(TYPE.c.type_kind == kind.value, TYPE.c.name == sa.bindparam("type_name"), version)
        .where(node.c.name == sa.bindparam("name"))
    )


_NAMED = {(kind, versioned): _by_type_and_name(kind, versioned) for kind in Kind for versioned in (False, True)}


def _get_by_id(kind: Kind, response: type[Any], tx: Transaction, request: Any) -> Any:
    answer = response()
    noun = kind.name.lower()
    nodes = nodes_by_id(tx, kind, getattr(request, f"{noun}_ids"), getattr(answer, f"{noun}s").add)
    if kind is Kind.ARTIFACT and request.populate_artifact_types:
        _add_artifact_types(tx, answer, nodes)
    return answer


def _add_artifact_types(tx: Transaction, answer: service.GetArtifactsByIDResponse, nodes: list[pb.Artifact]) -> None:
    """Add each type once, by first appearance; of a type that is gone, its id."""
    ids = list(dict.fromkeys(node.type_id for node in nodes))
    found = {message.id: message for message in types_by_id(tx, Kind.ARTIFACT, ids, base_types=False)}
    answer.artifact_types.extend(found.get(type_id) or pb.ArtifactType(id=type_id) for type_id in ids)


def _get_by_external_id(kind: Kind, response: type[Any], tx: Transaction, request: Any) -> Any:
    answer, noun = response(), kind.name.lower()
    rows = rows_by_external_id(tx, _BY_EXTERNAL_ID[kind], request.external_ids, noun)
    nodes_of_rows(tx, kind, sorted(rows, key=lambda row: row[0]), getattr(answer, f"{noun}s").add)
    return answer


def _get_named(kind: Kind, response: type[Any], tx: Transaction, request: Any) -> Any:
    """A name that nothing has is an empty answer, not an error: pipelines depend on it."""
    answer = response()
    noun = kind.name.lower()
    encode = tx.text.encode
    version = encode(request.type_version)
    wanted = {"type_name": encode(request.type_name), "name": encode(getattr(request, f"{noun}_name"))}
    rows = tx.rows(_NAMED[kind, bool(version)], wanted | {"version": version} if version else wanted)
    if rows:
        # A database that compares without case finds other spellings too; the exact one comes first, and of several
        # the first by its id: MariaDB sorts rows that have texts by a table on its disk, so it is not asked to.
        exact = [row for row in rows if row[-2] == wanted["type_name"] and (row[-1] or "") == version]
        node = min(exact or rows)[:-2]
        nodes_of_rows(tx, kind, [node], lambda: _present(getattr(answer, noun)))
    return answer


def _present(message: Any) -> Any:
    message.SetInParent()
    return message


def _get_by_uri(tx: Transaction, request: service.GetArtifactsByURIRequest) -> service.GetArtifactsByURIResponse:
    """In the order of the request's distinct URIs, within one by ascending id."""
    unknown = UnknownFieldSet(request)
    if any(unknown[place].field_number == _RETIRED_URI_FIELD for place in range(len(unknown))):
        raise InvalidArgument("uris: the request carries the retired field 1 (uri); send URIs in the field 2 (uris).")
    answer = service.GetArtifactsByURIResponse()
    place = {tx.text.encode(uri): number for number, uri in reversed(list(enumerate(request.uris)))}
    rows = tx.rows_in(_BY_URI, place)
    rows.sort(key=lambda row: (place.get(row[_URI_COLUMN], len(place)), row[0]))
    nodes_of_rows(tx, Kind.ARTIFACT, rows, answer.artifacts.add)
    return answer


_READS = {
    "Get{}sByID": _get_by_id,
    "Get{}sByExternalIds": _get_by_external_id,
    "Get{}ByTypeAndName": _get_named,
}


def _methods() -> Iterator[Rpc]:
    for kind in (Kind.ARTIFACT, Kind.EXECUTION, Kind.CONTEXT):
        for pattern, body in _READS.items():
            name = pattern.format(kind.name.capitalize())
            yield mlmd_read(name, partial(body, kind, getattr(service, f"{name}Response")))


NODE_READ_METHODS = (*_methods(), mlmd_read("GetArtifactsByURI", _get_by_uri))
"""Get{Artifacts,Executions,Contexts}ByID, the same ByExternalIds, Get{...}ByTypeAndName, and GetArtifactsByURI."""
