"""The names that the Tab key offers, asked of a server, or of a database that is no file."""

import re

from google.protobuf.message import Message
from mlmd_schemas.pb import metadata_store_pb2 as pb
from mlmd_schemas.pb import metadata_store_service_pb2 as mlmd
from mlmd_schemas.pb.v1 import collections_pb2
from mlmd_schemas.pb.v1 import registry_pb2 as v1

from mlmd_client.finding import literal
from mlmd_client.service import A, Service


class ServedNames:
    """See `mlmd_client.command_line.offers.Names`: one call for each question, and not for long. Raises CallError."""

    def __init__(self, service: Service, seconds: float, most: int) -> None:
        """Ask a store for so many names, each time for so many seconds."""
        self._service, self._seconds, self._most = service, seconds, most

    def collections(self, beginning: str) -> list[tuple[str, str]]:
        """Return type and name of what has versions, where the name begins so."""
        return [found for found in self._collections(_pattern(beginning, "%/")) if found[1].startswith(beginning)]

    def typed_collections(self, beginning: str) -> list[tuple[str, str]]:
        """Return type and name of what has versions, where `TYPE/NAME` begins so."""
        return [found for found in self._collections(_pattern(beginning)) if "/".join(found).startswith(beginning)]

    def versions(self, type_name: str, name: str) -> list[tuple[int, list[str]]]:
        """Return numbers with aliases, the newest first."""
        request = collections_pb2.ListVersionsRequest(type_name=type_name, name=name, page_size=self._most)
        answer = self._ask(request, collections_pb2.ListVersionsResponse)
        return [(version.number, list(version.aliases)) for version in answer.versions]

    def runs(self, beginning: str) -> list[str]:
        """Return names of runs, the newest first."""
        return self._named("Executions", "mlmd.Run", beginning)

    def experiments(self, beginning: str) -> list[str]:
        """Return names of experiments, the newest first."""
        return self._named("Contexts", "mlmd.Experiment", beginning)

    def models(self, beginning: str, *, archived: bool) -> list[tuple[str, list[str]]]:
        """Return names of registered models with their aliases, in order."""
        request = v1.ListModelsRequest(prefix=beginning, include_archived=archived, page_size=self._most)
        return [(model.name, sorted(model.aliases)) for model in self._ask(request, v1.ListModelsResponse).models]

    def model_versions(self, model: str) -> list[str]:
        """Return names of a registered model's versions, the newest first."""
        request = v1.ListModelVersionsRequest(model=model, include_archived=True, page_size=self._most)
        return [version.name for version in self._ask(request, v1.ListModelVersionsResponse).versions]

    def deployments(self) -> list[tuple[str, str]]:
        """Return environments and services of deployments."""
        answer = self._ask(v1.ListDeploymentsRequest(page_size=self._most), v1.ListDeploymentsResponse)
        return [(one.environment, one.service) for one in answer.deployments]

    def webhooks(self) -> list[int]:
        """Return ids."""
        answer = self._ask(v1.ListWebhooksRequest(page_size=self._most), v1.ListWebhooksResponse)
        return [one.id for one in answer.webhooks]

    def _collections(self, pattern: str) -> list[tuple[str, str]]:
        names = self._nodes("Contexts", f"type = 'mlmd.Collection' AND name LIKE {pattern}")
        return [(kind, name) for kind, _, name in (one.partition("/") for one in names)]

    def _named(self, noun: str, kind: str, beginning: str) -> list[str]:
        names = self._nodes(noun, f"type = '{kind}' AND name LIKE {_pattern(beginning)}")
        return [name for name in names if name.startswith(beginning)]

    def _nodes(self, noun: str, condition: str) -> list[str]:
        """Return the names of the newest nodes that a filter finds."""
        options = pb.ListOperationOptions(filter_query=condition, max_result_size=self._most)
        options.order_by_field.CopyFrom(pb.ListOperationOptions.OrderByField(field="ID", is_asc=False))
        request, page = getattr(mlmd, f"Get{noun}Request"), getattr(mlmd, f"Get{noun}Response")
        return [node.name for node in getattr(self._ask(request(options=options), page), noun.lower())]

    def _ask(self, request: Message, answer: type[A]) -> A:
        return self._service.once(request, answer, timeout_seconds=self._seconds)


def _pattern(beginning: str, before: str = "") -> str:
    """Return a pattern for names that begin so, or nearly so: SQLite's LIKE knows no escape."""
    return literal(before + re.sub(r"[%_\\]", "_", beginning) + "%")
