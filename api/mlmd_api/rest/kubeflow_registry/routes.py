"""From HTTP's method and path to a call of the API."""

from dataclasses import dataclass

from mlmd_model_registry.kubeflow.methods import VERSIONS, Operation, operations, service_of

PREFIX = "/api/model_registry"


@dataclass(frozen=True, slots=True)
class Route:
    """A call that a path leads to, with the id in the path ("" where there is none)."""

    api: str
    operation: Operation
    node_id: str

    @property
    def method_path(self) -> str:
        """Return the path of the method that answers, as the dispatcher knows it."""
        return f"/{service_of(self.api)}/{self.operation.name}"


Segments = tuple[str, ...]


class Routes:
    """The paths of all versions of the API."""

    def __init__(self) -> None:
        self._by_path: dict[str, dict[Segments, dict[str, Operation]]] = {api: {} for api in VERSIONS}
        for api in VERSIONS:
            for operation in operations(api):
                segments = tuple(operation.path.strip("/").split("/"))
                self._by_path[api].setdefault(segments, {})[operation.verb] = operation

    def verbs(self, path: str) -> dict[str, Route]:
        """Return the calls at a path below PREFIX by HTTP's method; nothing where there is no such path."""
        api, *segments = path.removeprefix("/").split("/")
        table = self._by_path.get(api, {})
        plain = tuple(segments)
        if plain in table:
            return {verb: Route(api, operation, "") for verb, operation in table[plain].items()}
        if len(plain) < 2:
            return {}
        named = (plain[0], "{id}", *plain[2:])
        return {verb: Route(api, operation, plain[1]) for verb, operation in table.get(named, {}).items()}
