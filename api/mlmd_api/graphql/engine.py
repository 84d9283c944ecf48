"""Runs one operation: finds its document, measures it, executes it, and says its errors as every wire does."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from graphql import ExecutionResult, GraphQLError, OperationDefinitionNode, execute, value_from_ast_untyped
from mlmd_metadata_store.dialects import UndecodableText
from mlmd_schemas.caller import Caller, Role
from mlmd_schemas.errors import (
    Aborted,
    Code,
    DeadlineExceeded,
    InvalidArgument,
    NotFound,
    StoreError,
    Unavailable,
)

from mlmd_api.artifacts import TenantArtifacts
from mlmd_api.dispatch import Work
from mlmd_api.graphql.documents import Document, Documents, InvalidDocument, NotRegistered, is_mutation
from mlmd_api.graphql.limits import DEFAULT_LIMITS, GraphqlLimits, Meter, check_values
from mlmd_api.graphql.requests import GraphqlRequest
from mlmd_api.graphql.schema import schema
from mlmd_api.graphql.session import Session
from mlmd_api.methods import Method
from mlmd_api.status import describe, facts_of
from mlmd_api.tenants import TenantStores

if TYPE_CHECKING:
    from mlmd_metadata_store.transaction import Transaction

NOT_REGISTERED = "PersistedQueryNotFound"
"""The message that clients of persisted queries wait for; they send the document then."""
_OF_THE_WHOLE = (Aborted, DeadlineExceeded, Unavailable, UndecodableText)
"""Errors of a field that are the operation's: it may be run again on another snapshot, or is over."""


@dataclass(frozen=True, slots=True)
class GraphqlSettings:
    """What an operator decides."""

    introspection: bool = True
    limits: GraphqlLimits = DEFAULT_LIMITS


class GraphqlEngine:
    """Answers operations. One for the process; any thread may use it."""

    def __init__(
        self,
        stores: TenantStores,
        methods: Mapping[str, Method],
        artifacts: TenantArtifacts | None = None,
        settings: GraphqlSettings = GraphqlSettings(),
    ) -> None:
        """Take the methods by path, which fields call; without `artifacts` there are no files to ask for."""
        self._stores = stores
        self._methods = methods
        self._artifacts = artifacts
        self._limits = settings.limits
        self._schema = schema()
        self.documents = Documents(self._schema, settings.limits, settings.introspection)

    def work(self, request: GraphqlRequest, caller: Caller, *, may_write: bool) -> Work:
        """Answer one operation; raises StoreError when there is nothing to answer with."""
        try:
            document = self.documents.find(request.query, request.extensions)
            operation = document.operation(request.operation_name)
            writes = is_mutation(operation) and Role.WRITER in caller.roles
            check_values(request.variables, self._limits.written_values if writes else self._limits.values)
            meter = Meter(self._schema, self._limits, document.fragments, _given(operation, request.variables))
            meter.measure(operation)
        except InvalidDocument as error:
            return _work(ExecutionResult(None, error.errors), caller)
        except NotRegistered:
            return _work(ExecutionResult(None, [_unregistered()]), caller)
        except StoreError as error:
            return _work(ExecutionResult(None, [GraphQLError(error.message, original_error=error)]), caller)
        run = self._written if is_mutation(operation) else self._read
        if is_mutation(operation) and not may_write:
            raise InvalidArgument("query: a mutation in a GET; send it with POST.")
        return _work(run(document, operation, request, caller), caller)

    def _read(
        self, document: Document, operation: OperationDefinitionNode, request: GraphqlRequest, caller: Caller
    ) -> ExecutionResult:
        """Run a query, all of it on one snapshot."""

        def body(tx: "Transaction") -> ExecutionResult:
            result = self._executed(document, operation, request, self._session(caller, tx))
            for error in result.errors or ():
                if isinstance(cause := error.original_error, _OF_THE_WHOLE):
                    raise cause
            return result

        return self._stores.of(caller.tenant).read(caller, body)

    def _written(
        self, document: Document, operation: OperationDefinitionNode, request: GraphqlRequest, caller: Caller
    ) -> ExecutionResult:
        """Run a mutation: its fields one after the other, each in a transaction of its own."""
        session = self._session(caller, None)
        session.writes = document.root_fields(operation)
        return self._executed(document, operation, request, session)

    def _session(self, caller: Caller, tx: "Transaction | None") -> Session:
        artifacts = self._artifacts
        requests = None if artifacts is None else lambda: artifacts.of(caller.tenant)
        return Session(caller, self._stores.of(caller.tenant), self._methods, requests, tx)

    def _executed(
        self, document: Document, operation: OperationDefinitionNode, request: GraphqlRequest, session: Session
    ) -> ExecutionResult:
        result = execute(
            self._schema,
            document.node,
            context_value=session,
            variable_values=dict(request.variables),
            operation_name=operation.name.value if operation.name else None,
        )
        return result if isinstance(result, ExecutionResult) else session.loading.run(_awaited(result))


async def _awaited(result: Any) -> ExecutionResult:
    finished: ExecutionResult = await result
    return finished


def _given(operation: OperationDefinitionNode, variables: Mapping[str, Any]) -> dict[str, Any]:
    """Return the variables with their defaults, for measuring."""
    defaults = {
        one.variable.name.value: value_from_ast_untyped(one.default_value)
        for one in operation.variable_definitions
        if one.default_value is not None
    }
    return defaults | dict(variables)


def _unregistered() -> GraphQLError:
    return GraphQLError(NOT_REGISTERED, original_error=NotFound(NOT_REGISTERED))


def _work(result: ExecutionResult, caller: Caller) -> Work:
    """Return the response; its code is that of the first error, or of the one that an operator wants to see."""
    said: dict[str, Any] = {}
    noted: tuple[Code, str, Exception | None] = (Code.OK, "", None)
    if result.errors:
        described = [_described(error, caller.request_id) for error in result.errors]
        told = zip(result.errors, described, strict=True)
        said["errors"] = [_formatted(error, *one, caller.request_id) for error, one in told]
        worst = max(range(len(described)), key=lambda place: (described[place][0] is Code.INTERNAL, -place))
        noted = (*described[worst], _cause(result.errors[worst]))
    if result.data is not None or not result.errors:
        said["data"] = result.data
    body = json.dumps(said, ensure_ascii=False, separators=(",", ":"), allow_nan=False).encode("utf-8", "replace")
    return Work(body, *noted)


def _described(error: GraphQLError, request_id: str) -> tuple[Code, str]:
    cause = _cause(error)
    return (Code.INVALID_ARGUMENT, error.message) if isinstance(cause, GraphQLError) else describe(cause, request_id)


def _cause(error: GraphQLError) -> Exception:
    """Return what went wrong in the end: an error of ours, any other, or the GraphQLError when there is no other."""
    cause: Exception = error
    while isinstance(cause, GraphQLError) and cause.original_error is not None and cause.original_error is not cause:
        cause = cause.original_error
    if error.path is None and not isinstance(cause, StoreError):
        return error  # of the request: nothing was run
    return cause


def _formatted(error: GraphQLError, code: Code, message: str, request_id: str) -> dict[str, Any]:
    said: dict[str, Any] = {"message": message}
    if error.locations:
        said["locations"] = [location.formatted for location in error.locations]
    if error.path is not None:
        said["path"] = error.path
    said["extensions"] = {"code": code.name, "requestId": request_id}
    if facts := facts_of(_cause(error)):
        said["extensions"]["facts"] = dict(facts)
    return said
