"""The methods of `mlmd.v1.Collections`."""

from typing import Any, TypeVar

from google.protobuf.message import DecodeError
from mlmd_schemas.errors import InvalidArgument
from mlmd_schemas.pb import metadata_store_pb2 as pb
from mlmd_schemas.pb.v1 import collections_pb2 as v1

from mlmd_metadata_store.alias_moves import move_alias
from mlmd_metadata_store.rpc import Service
from mlmd_metadata_store.transaction import Transaction
from mlmd_metadata_store.version_collections import add_version
from mlmd_metadata_store.version_reads import (
    list_alias_moves,
    list_aliases,
    list_collections,
    list_versions,
    resolve_version,
)

COLLECTIONS_SERVICE = "mlmd.v1.Collections"
_COLLECTIONS = Service(COLLECTIONS_SERVICE, v1)
NodeMessage = TypeVar("NodeMessage", pb.Artifact, pb.Execution)


def _add_version(tx: Transaction, request: v1.AddVersionRequest) -> v1.AddVersionResponse:
    version = add_version(tx, request.type_name, request.name, parse_artifact(request.artifact))
    return v1.AddVersionResponse(version=version)


def parse_artifact(serialized: bytes) -> pb.Artifact:
    """Return the Artifact in these bytes; raises InvalidArgument when they are none or hold text that is not UTF-8."""
    return parse_node(serialized, pb.Artifact)


def parse_node(serialized: bytes, kind: type[NodeMessage]) -> NodeMessage:
    """Return the Artifact or Execution in these bytes; raises InvalidArgument as `parse_artifact` does."""
    node, noun = kind(), kind.DESCRIPTOR.name
    try:
        node.ParseFromString(serialized)
    except DecodeError as error:
        raise InvalidArgument(f"{noun.lower()}: not a serialized ml_metadata.{noun}.") from error
    try:
        whole = _has_only_text(node)
    except UnicodeDecodeError:
        whole = False
    if not whole:
        raise InvalidArgument(
            f"{noun.lower()}: one of its strings is not UTF-8; send text as UTF-8, bytes as a struct or file."
        )
    return node


def _has_only_text(node: pb.Artifact | pb.Execution) -> bool:
    """Return whether every proto2 string is text; invalid ones come as bytes or raise UnicodeDecodeError."""
    texts: list[Any] = [node.name, node.type, node.external_id, getattr(node, "uri", "")]
    for values in (node.properties, node.custom_properties):
        for key in values:
            texts += [key, values[key].string_value if isinstance(key, str) else b""]
    return all(isinstance(text, str) for text in texts)


def _resolve_version(tx: Transaction, request: v1.ResolveVersionRequest) -> v1.ResolveVersionResponse:
    selector = request.WhichOneof("selector")
    chosen = {selector: getattr(request, selector)} if selector else {}
    return v1.ResolveVersionResponse(version=resolve_version(tx, request.type_name, request.name, **chosen))


def _list_versions(tx: Transaction, request: v1.ListVersionsRequest) -> v1.ListVersionsResponse:
    versions, token = list_versions(tx, request.type_name, request.name, request.page_size, request.page_token)
    return v1.ListVersionsResponse(versions=versions, next_page_token=token)


def _list_collections(tx: Transaction, request: v1.ListCollectionsRequest) -> v1.ListCollectionsResponse:
    collections, token = list_collections(tx, request.type_name, request.page_size, request.page_token)
    return v1.ListCollectionsResponse(collections=collections, next_page_token=token)


def _move_alias(tx: Transaction, request: v1.MoveAliasRequest) -> v1.MoveAliasResponse:
    expected = request.expected_number if request.HasField("expected_number") else None
    move = move_alias(tx, request.type_name, request.name, request.alias, request.number, expected, request.reason)
    return v1.MoveAliasResponse(move=move)


def _list_aliases(tx: Transaction, request: v1.ListAliasesRequest) -> v1.ListAliasesResponse:
    return v1.ListAliasesResponse(aliases=list_aliases(tx, request.type_name, request.name))


def _list_alias_moves(tx: Transaction, request: v1.ListAliasMovesRequest) -> v1.ListAliasMovesResponse:
    moves, token = list_alias_moves(
        tx, request.type_name, request.name, request.alias, request.page_size, request.page_token
    )
    return v1.ListAliasMovesResponse(moves=moves, next_page_token=token)


COLLECTION_METHODS = (
    _COLLECTIONS.writes("AddVersion", _add_version),
    _COLLECTIONS.reads("ResolveVersion", _resolve_version),
    _COLLECTIONS.reads("ListVersions", _list_versions),
    _COLLECTIONS.reads("ListCollections", _list_collections),
    _COLLECTIONS.writes("MoveAlias", _move_alias),
    _COLLECTIONS.reads("ListAliases", _list_aliases),
    _COLLECTIONS.reads("ListAliasMoves", _list_alias_moves),
)
