"""Lists of nodes, page by page."""

from dataclasses import dataclass
from enum import Enum, unique
from typing import Any

from google.protobuf.message import Message
from mlmd_schemas.pb import metadata_store_pb2 as pb
from mlmd_schemas.pb import metadata_store_service_pb2 as service

from mlmd_client.metadata_store import errors
from mlmd_client.metadata_store.connection import Connection, ExtraOptions

MAX_NUM_RESULT = 100
"""Nodes of one page."""
_FIELD = pb.ListOperationOptions.OrderByField.Field


@unique
class OrderByField(Enum):
    """What lists can be ordered by."""

    CREATE_TIME = _FIELD.Value("CREATE_TIME")
    UPDATE_TIME = _FIELD.Value("LAST_UPDATE_TIME")
    ID = _FIELD.Value("ID")


@dataclass(order=True)
class ListOptions:
    """Which nodes a list holds, how many, and in what order.

    Args:
        limit: The most nodes returned; None or 0 for all of them.
        order_by: What they are ordered by; the store's own order when None.
        is_asc: Smallest first.
        filter_query: A condition on nodes and their neighbours, such as `type = 'Data' AND uri LIKE 's3://%'`.

    >>> ListOptions(10, OrderByField.ID, is_asc=False)
    ListOptions(limit=10, order_by=<OrderByField.ID: 3>, is_asc=False, filter_query=None)
    """

    limit: int | None = None
    order_by: OrderByField | None = None
    is_asc: bool = True
    filter_query: str | None = None


class Listing(Connection):
    """The part of a MetadataStore that lists nodes."""

    def _call_method_with_list_options(
        self,
        method_name: str,
        entity_field_name: str,
        request_without_list_options: Message,
        list_options: ListOptions | None = None,
        extra_options: ExtraOptions | None = None,
    ) -> list[Any]:
        """Return the nodes of every page, up to the limit; raises InvalidArgumentError for a negative one."""
        request: Any = request_without_list_options
        left = _prepare(request, list_options) if list_options is not None else 0
        nodes: list[Any] = []
        while True:
            if 0 < left < MAX_NUM_RESULT:
                request.options.max_result_size = left
            response = getattr(service, f"{method_name}Response")()
            self._call(method_name, request, response)
            page = getattr(response, entity_field_name)
            nodes.extend(page)
            if left:
                left -= len(page)
                if left <= 0:
                    return nodes
            if not response.next_page_token:
                return nodes
            request.options.next_page_token = response.next_page_token

    def get_artifacts(
        self, list_options: ListOptions | None = None, extra_options: ExtraOptions | None = None
    ) -> list[pb.Artifact]:
        """Return all artifacts, or those that the options say."""
        request = service.GetArtifactsRequest()
        return self._call_method_with_list_options("GetArtifacts", "artifacts", request, list_options)

    def get_executions(
        self, list_options: ListOptions | None = None, extra_options: ExtraOptions | None = None
    ) -> list[pb.Execution]:
        """Return all executions, or those that the options say."""
        request = service.GetExecutionsRequest()
        return self._call_method_with_list_options("GetExecutions", "executions", request, list_options)

    def get_contexts(
        self, list_options: ListOptions | None = None, extra_options: ExtraOptions | None = None
    ) -> list[pb.Context]:
        """Return all contexts, or those that the options say."""
        request = service.GetContextsRequest()
        return self._call_method_with_list_options("GetContexts", "contexts", request, list_options)

    def get_artifacts_by_context(
        self, context_id: int, list_options: ListOptions | None = None, extra_options: ExtraOptions | None = None
    ) -> list[pb.Artifact]:
        """Return the artifacts attributed to a context, by ascending id when no options say otherwise."""
        request = service.GetArtifactsByContextRequest(context_id=context_id)
        return self._call_method_with_list_options("GetArtifactsByContext", "artifacts", request, list_options)

    def get_executions_by_context(
        self, context_id: int, list_options: ListOptions | None = None, extra_options: ExtraOptions | None = None
    ) -> list[pb.Execution]:
        """Return the executions associated with a context, newest first when no options say otherwise."""
        if list_options is None:
            list_options = ListOptions(order_by=OrderByField.CREATE_TIME, is_asc=False)
        request = service.GetExecutionsByContextRequest(context_id=context_id)
        return self._call_method_with_list_options("GetExecutionsByContext", "executions", request, list_options)


def _prepare(request: Any, options: ListOptions) -> int:
    """Write the options into the request; returns the limit, 0 for none."""
    limit = options.limit or 0
    if limit < 0:
        raise errors.make_exception(
            f"list_options.limit: {limit} is below zero; give the most nodes to return, or None for all.",
            errors.INVALID_ARGUMENT,
        )
    request.options.max_result_size = MAX_NUM_RESULT
    request.options.order_by_field.is_asc = options.is_asc
    if options.order_by:
        request.options.order_by_field.field = options.order_by.value
    if options.filter_query:
        request.options.filter_query = options.filter_query
    return limit
