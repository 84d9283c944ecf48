"""The model registry: which version is production, who put it there, and what it must show first."""

import threading
import time
from collections.abc import Callable, Iterator, Mapping
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from mlmd_schemas.pb.v1 import registry_pb2 as v1

from mlmd_client.calls import CallError
from mlmd_client.failures import INVALID_ARGUMENT, NOT_FOUND, UNAVAILABLE, NotFound, Refused, failure_of, refused
from mlmd_client.service import response_type
from mlmd_client.tables import Table, moment, table_of

if TYPE_CHECKING:
    from mlmd_client.store import Store
    from mlmd_client.versions import Version
    from mlmd_client.walks import Graph

_REGISTRY = "/mlmd.v1.ModelRegistry"
_PAGE = 100
_AGAIN_SECONDS = 1.0


class Models:
    """The registered models, by name.

    >>> champion = store.models["churn"].register(store["churn@2"]).promote("champion", reason="the better one")
    >>> store.models["churn"]["champion"].number
    1
    """

    def __init__(self, store: "Store") -> None:
        self._store = store

    def __getitem__(self, name: str) -> "Model":
        """Return a model, which need not be there yet."""
        return Model(self._store, name)

    def table(self) -> Table:
        """Return the models with their aliases, by name.

        >>> "model" in store.models.table().columns or not len(store.models.table())
        True
        """
        request = v1.ListModelsRequest(page_size=_PAGE)
        rows = []
        for model in _listed(self._store, "ListModels", request, "models"):
            rows.append(
                {
                    "model": model.name,
                    "newest": model.latest_number,
                    "aliases": [f"{alias}={number}" for alias, number in sorted(model.aliases.items())],
                    "owner": model.owner,
                    "updated": moment(model.update_ms),
                }
            )
        return table_of(rows)

    def _repr_html_(self) -> str:
        return self.table().html()


class Model:
    """A registered model.

    >>> store.models["churn"].name
    'churn'
    """

    def __init__(self, store: "Store", name: str) -> None:
        self._store = store
        self.name = name

    def register(
        self,
        version: "Version",
        *,
        description: str = "",
        author: str = "",
        tags: Mapping[str, str] | None = None,
        format: str = "",
    ) -> "ModelVersion":
        """Make an artifact the next version of the model, which is made when it is not there. Raises Taken.

        >>> store.models["doc-model"].register(store["churn@1"], author="ana").number
        1
        """
        request = v1.CreateModelVersionRequest(
            model=self.name,
            artifact_id=version.id,
            description=description,
            author=author,
            tags=tags,
            create_model=True,
        )
        if format:
            request.format.name = format
        self._store.settle()
        made = self._store.service.write(f"{_REGISTRY}/CreateModelVersion", request).version
        return ModelVersion(self._store, made)

    def __getitem__(self, selector: int | str) -> "ModelVersion":
        """Return a version by number, name or alias (`latest` too); raises NotFound."""
        request = v1.GetModelVersionRequest(model=self.name)
        if isinstance(selector, int) or selector.isdecimal():
            request.version = str(selector)
        else:
            request.alias = selector
        found = self._store.service.read(f"{_REGISTRY}/GetModelVersion", request).version
        return ModelVersion(self._store, found)

    def versions(self) -> Table:
        """Return the versions, newest first.

        >>> made = store.models["doc-versions"].register(store["churn@1"])
        >>> store.models["doc-versions"].versions().column("version")
        ['1']
        """
        request = v1.ListModelVersionsRequest(model=self.name, page_size=_PAGE)
        return table_of(
            [
                {
                    "number": one.number,
                    "version": one.name,
                    "aliases": list(one.aliases),
                    "author": one.author,
                    "created": moment(one.create_ms),
                    "artifact": one.artifact_id,
                    "uri": one.uri,
                }
                for one in _listed(self._store, "ListModelVersions", request, "versions")
            ]
        )

    def moves(self, alias: str = "") -> Table:
        """Return every move of its aliases, newest first: who, when, why.

        >>> made = store.models["doc-moves"].register(store["churn@1"]).promote("champion", reason="first")
        >>> store.models["doc-moves"].moves("champion").column("reason")
        ['first']
        """
        request = v1.ListModelAliasMovesRequest(model=self.name, alias=alias, page_size=_PAGE)
        return table_of([_move_row(move) for move in _listed(self._store, "ListModelAliasMoves", request, "moves")])

    def rollback(self, alias: str, reason: str = "") -> int:
        """Point an alias at what it pointed at before its last move; return that number.

        >>> model = store.models["doc-rollback"]
        >>> for name in ("churn@1", "churn@2"):
        ...     made = model.register(store[name]).promote("champion")
        >>> model.rollback("champion", reason="it was slow")
        1
        """
        request = v1.RollbackModelAliasRequest(model=self.name, alias=alias, reason=reason)
        return int(self._store.service.write(f"{_REGISTRY}/RollbackModelAlias", request).move.to_number)

    def set_gates(self, *rules: str, alias: str = "") -> None:
        """Say what a version must show before an alias (without one: any) may point at it; no rules, no gates.

        >>> made = store.models["doc-gates"].register(store["churn@1"])
        >>> store.models["doc-gates"].set_gates("auc >= 0.9", alias="champion")
        """
        request = v1.SetModelGatesRequest(model=self.name, alias=alias, rules=rules)
        self._store.service.write(f"{_REGISTRY}/SetModelGates", request)

    def __repr__(self) -> str:
        return f"<Model {self.name}>"


class ModelVersion:
    """A version of a registered model.

    >>> version = store.models["doc-one"].register(store["churn@1"])
    >>> version.ref, version.artifact.ref
    ('models:/doc-one/1', 'churn@1')
    """

    def __init__(self, store: "Store", message: v1.ModelVersion) -> None:
        self._store = store
        self.message = message
        """As the registry has it."""

    @property
    def model(self) -> str:
        """The name of the model."""
        return self.message.model

    @property
    def number(self) -> int:
        """Its number, from 1."""
        return self.message.number

    @property
    def aliases(self) -> list[str]:
        """The aliases that pointed here when it was asked for."""
        return list(self.message.aliases)

    @property
    def ref(self) -> str:
        """What to ask for it by; a slash or an at sign in the model's name is percent-encoded."""
        return f"models:/{quote(self.model, safe='')}/{self.number}"

    @property
    def artifact(self) -> "Version":
        """The artifact that it is."""
        return self._store.version(self.message.artifact_id)

    def check(self, *rules: str, against: str = "champion") -> Table:
        """Return what its gates, and these rules, find; `against` is the alias that it would take.

        >>> checked = store.models["doc-check"].register(store["churn@1"]).check("auc >= 0.9")
        >>> checked.column("passed")
        [True]
        """
        request = v1.CheckModelGatesRequest(model=self.model, alias=against, version=str(self.number), rules=rules)
        answer = self._store.service.read(f"{_REGISTRY}/CheckModelGates", request)
        rows = [{"rule": one.rule, "passed": one.passed, "detail": one.detail} for one in answer.gates]
        return Table(["rule", "passed", "detail"], rows)

    def promote(
        self, alias: str, reason: str = "", *, expected: int | None = None, override_gates: bool = False
    ) -> "ModelVersion":
        """Point an alias here, when its gates let it; with `expected` only if it points at that number now.

        Raises Refused, which says the gate that was not met.

        >>> store.models["doc-promote"].register(store["churn@1"]).promote("champion", reason="first").aliases
        ['champion']
        """
        request = v1.MoveModelAliasRequest(
            model=self.model,
            alias=alias,
            version=str(self.number),
            reason=reason,
            expected_number=expected,
            override_gates=override_gates,
        )
        self._store.service.write(f"{_REGISTRY}/MoveModelAlias", request)
        return Model(self._store, self.model)[self.number]

    def approve(self, reason: str = "") -> None:
        """Say that you approve of it; gates may ask for approvals.

        >>> store.models["doc-approve"].register(store["churn@1"]).approve("looked at the curves")
        """
        request = v1.ApproveModelVersionRequest(model=self.model, version=str(self.number), reason=reason)
        self._store.service.write(f"{_REGISTRY}/ApproveModelVersion", request)

    def load(self) -> Any:
        """Return the object that was logged. Load only what you trust.

        >>> store.models["doc-load"].register(store["churn@1"]).load()
        {'weights': [1, 2]}
        """
        return self.artifact.load()

    def lineage(self, hops: int = 0, **options: Any) -> "Graph":
        """Return everything that it came from and that came from it.

        >>> "churn@1" in store.models["doc-lineage"].register(store["churn@1"]).lineage().names()
        True
        """
        return self.artifact.lineage(hops, **options)

    def __repr__(self) -> str:
        return f"<ModelVersion {self.ref}{' ' + ', '.join(self.aliases) if self.aliases else ''}>"


def _listed(store: "Store", method: str, request: Any, field: str) -> Iterator[Any]:
    while True:
        page = store.service.read(f"{_REGISTRY}/{method}", request)
        yield from getattr(page, field)
        request.page_token = page.next_page_token
        if not page.next_page_token:
            return


def _move_row(move: v1.ModelAliasMove) -> dict[str, Any]:
    return {
        "alias": move.alias,
        "from": move.from_number,
        "to": move.to_number,
        "who": move.subject,
        "reason": move.reason,
        "when": moment(move.move_ms),
        "overridden": move.overridden,
    }


def registered_artifact(store: "Store", uri: str) -> int | None:
    """Return the artifact that a `models:/` URI of the registry means, None when no model of that name is registered.

    A registered model that has no such version or alias, or whose files are gone, is NotFound or Refused: nothing else
    that has its name is given in its place.

    >>> made = store.models["doc-uri"].register(store["churn@1"])
    >>> registered_artifact(store, "models:/doc-uri/1") == store["churn@1"].id
    True
    >>> registered_artifact(store, "models:/not-registered/1") is None
    True
    """
    try:
        return int(store.service.read(f"{_REGISTRY}/ResolveModel", v1.ResolveModelRequest(uri=uri)).artifact_id)
    except (NotFound, Refused) as error:
        if error.code == INVALID_ARGUMENT or (error.code == NOT_FOUND and error.message.startswith("model:")):
            return None
        raise


class Watch:
    """Tells the moves of models' aliases as they happen, in a thread of its own, until `stop`; see `Store.watch`.

    >>> watch = store.watch("models/doc-watched", call=print)
    >>> watch.stop()
    """

    def __init__(self, store: "Store", models: list[str], call: Callable[[dict[str, Any]], None], alias: str) -> None:
        self._store = store
        self._request = v1.WatchModelsRequest(models=models)
        self._call = call
        self._alias = alias
        self._stopped = threading.Event()
        self._stream: Any = None
        self.ready = threading.Event()
        """Set once the server has said where the aliases point; moves from then on are told."""
        self.failure: CallError | None = None
        """Why it ended by itself; None while it runs."""
        self._thread = threading.Thread(target=self._watch, name="mlmd-watch", daemon=True)
        self._thread.start()

    def _watch(self) -> None:
        path = f"{_REGISTRY}/WatchModels"
        while not self._stopped.is_set():
            try:
                self._stream = self._store.service.transport.stream(path, self._request, response_type(path))
                for answer in self._stream:
                    self._tell(answer)
                    if self._stopped.is_set():
                        return
            except CallError as error:
                if self._stopped.is_set():
                    return
                if error.code != UNAVAILABLE:
                    self.failure = failure_of(error)
                    self.ready.set()
                    return
            time.sleep(_AGAIN_SECONDS)

    def _tell(self, answer: Any) -> None:
        for watched in answer.moves:
            if self._alias in ("", watched.move.alias):
                self._call({"model": watched.model, **_move_row(watched.move)})
        self._request.cursor = answer.cursor  # from here on after the connection was lost
        self.ready.set()

    def stop(self) -> None:
        """End it; a call that is under way is finished."""
        self._stopped.set()


def watched_models(what: str) -> list[str]:
    """Return the models that `models/churn`, or several with commas between, means; raises Refused.

    >>> watched_models("models/churn,models/fraud")
    ['churn', 'fraud']
    """
    names = [name.strip() for name in what.split(",")]
    if not all(name.startswith("models/") and name != "models/" for name in names):
        raise refused(f"watch: {what!r} names no models; write models/churn, or several with commas between.")
    return [name.removeprefix("models/") for name in names]
