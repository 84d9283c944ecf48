"""The model registry: which version is production, who put it there, and what it must show first."""

from collections.abc import Iterable, Iterator, Mapping
from typing import TYPE_CHECKING, Any

from mlmd_schemas.errors import Code
from mlmd_schemas.pb.v1 import registry_pb2 as v1

from mlmd_client.failures import NotFound, Refused, refused
from mlmd_client.model_versions import ModelVersion, format_of
from mlmd_client.registry_pages import pages
from mlmd_client.resolved_model import ResolvedModel
from mlmd_client.tables import Table, moment, table_of
from mlmd_client.webhooks import Webhooks

if TYPE_CHECKING:
    import datetime

    from mlmd_client.store import Store
    from mlmd_client.versions import Version


class Models:
    """The registered models, by name.

    >>> champion = store.models["churn"].register(store["churn@2"]).promote("champion", reason="the better one")
    >>> store.models["churn"]["champion"].number
    1
    >>> "churn" in store.models, "churn" in list(store.models)
    (True, True)
    """

    def __init__(self, store: "Store") -> None:
        self._store = store

    def __getitem__(self, name: str) -> "Model":
        """Return a model, which need not be there yet."""
        if not isinstance(name, str):
            raise refused(f"model: {name!r:.60} is no text; a model is known by its name.")
        return Model(self._store, name)

    def __iter__(self) -> Iterator[str]:
        """Go through the names of the models that are in use."""
        for page in pages(self._store.service, v1.ListModelsRequest(), v1.ListModelsResponse):
            yield from (model.name for model in page.models)

    def __contains__(self, name: object) -> bool:
        """Tell whether a model of this name is registered, in use or archived."""
        try:
            self._store.service.read(v1.GetModelRequest(model=str(name)), v1.GetModelResponse)
        except NotFound:
            return False
        return True

    def table(self) -> Table:
        """Return the models with their aliases, by name.

        >>> "model" in store.models.table().columns or not len(store.models.table())
        True
        """
        return table_of(
            [
                {
                    "model": model.name,
                    "newest": model.latest_number,
                    "aliases": [f"{alias}={number}" for alias, number in sorted(model.aliases.items())],
                    "owner": model.owner,
                    "updated": moment(model.update_ms),
                }
                for page in pages(self._store.service, v1.ListModelsRequest(), v1.ListModelsResponse)
                for model in page.models
            ]
        )

    @property
    def webhooks(self) -> Webhooks:
        """Where the moves of aliases are posted.

        >>> store.models.webhooks.table().columns
        []
        """
        return Webhooks(self._store.service)

    def resolve(self, uri: str, as_of: "str | int | datetime.datetime" = "") -> ResolvedModel:
        """Return everything that a deployer needs of `models:/churn@champion`: bytes, files with digests, metrics.

        With `as_of`, a datetime or RFC 3339 with an offset, or milliseconds since the epoch, what the alias pointed at
        then. Raises NotFound; Refused for a version whose files are gone.

        >>> made = store.models["doc-resolve"].register(store["churn@1"])
        >>> store.models.resolve("models:/doc-resolve/1").number
        1
        """
        self._store.settle()
        moment_of = as_of.isoformat() if hasattr(as_of, "isoformat") else str(as_of)
        request = v1.ResolveModelRequest(uri=uri, as_of=moment_of)
        return ResolvedModel(self._store.service.read(request, v1.ResolveModelResponse))

    def __repr__(self) -> str:
        """Return where the registry is; asks nobody."""
        return f"<Models of {self._store.target}>"

    def _repr_html_(self) -> str:
        return self.table().html()

    def _ipython_key_completions_(self) -> list[str]:
        return list(self)


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
        version: "Version | str",
        *,
        name: str = "",
        description: str = "",
        author: str = "",
        tags: Mapping[str, str] | None = None,
        format: str = "",
        signature: str = "",
    ) -> "ModelVersion":
        """Make an artifact, or what is at a URI, the next version of the model, which is made when it is not there.

        Text with `://` is a URI, other text the name of what was logged: `churn@3`, `churn@candidate`. Without a
        `name` it is called by its number. `format` is a name or `name:version`, `signature` JSON. Raises Taken,
        NotFound.

        >>> store.models["doc-model"].register(store["churn@1"], author="ana").number
        1
        """
        request = v1.CreateModelVersionRequest(
            model=self.name,
            name=name,
            description=description,
            author=author,
            tags=tags,
            format=format_of(format),
            signature=signature,
            create_model=True,
        )
        if isinstance(version, str) and "://" in version:
            request.uri = version
        else:
            request.artifact_id = self._store.version(version).id
        self._store.settle()
        made = self._store.service.write(request, v1.CreateModelVersionResponse).version
        return ModelVersion(self._store, made)

    def __getitem__(self, selector: int | str) -> "ModelVersion":
        """Return a version by number, by alias (`latest` too), or by name where no alias is called so; raises NotFound.

        >>> store.models["doc-named"].register("s3://models/doc", name="first").number
        1
        >>> store.models["doc-named"]["first"].number
        1
        """
        if isinstance(selector, bool) or not isinstance(selector, int | str):
            raise refused(f"version: {selector!r:.60} is no version; say its number, an alias, or its name.")
        if isinstance(selector, int) or selector.isdecimal():
            return self._version(version=str(selector))
        try:
            return self._version(alias=selector)
        except NotFound as error:
            try:
                return self._version(version=selector)
            except NotFound:
                raise error from None

    def _version(self, **selector: str) -> "ModelVersion":
        request = v1.GetModelVersionRequest(model=self.name, **selector)
        found = self._store.service.read(request, v1.GetModelVersionResponse).version
        return ModelVersion(self._store, found)

    def versions(self) -> Table:
        """Return the versions, newest first.

        >>> made = store.models["doc-versions"].register(store["churn@1"])
        >>> store.models["doc-versions"].versions().column("version")
        ['1']
        """
        request = v1.ListModelVersionsRequest(model=self.name)
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
                for page in pages(self._store.service, request, v1.ListModelVersionsResponse)
                for one in page.versions
            ]
        )

    def moves(self, alias: str = "") -> Table:
        """Return every move of its aliases, newest first: who, when, why.

        >>> made = store.models["doc-moves"].register(store["churn@1"]).promote("champion", reason="first")
        >>> store.models["doc-moves"].moves("champion").column("reason")
        ['first']
        """
        request = v1.ListModelAliasMovesRequest(model=self.name, alias=alias)
        listed = pages(self._store.service, request, v1.ListModelAliasMovesResponse)
        return table_of([move_row(move) for page in listed for move in page.moves])

    def deployments(self) -> Table:
        """Return what runs where, newest first.

        >>> made = store.models["doc-runs"].register(store["churn@1"]).deployed("prod", "scorer")
        >>> store.models["doc-runs"].deployments().column("state")
        ['RUNNING']
        """
        request = v1.ListDeploymentsRequest(model=self.name)
        listed = pages(self._store.service, request, v1.ListDeploymentsResponse)
        return table_of([deployment_row(one) for page in listed for one in page.deployments])

    def rollback(self, alias: str, reason: str = "") -> int:
        """Point an alias at what it pointed at before its last move; return that number.

        >>> model = store.models["doc-rollback"]
        >>> for name in ("churn@1", "churn@2"):
        ...     made = model.register(store[name]).promote("champion")
        >>> model.rollback("champion", reason="it was slow")
        1
        """
        request = v1.RollbackModelAliasRequest(model=self.name, alias=alias, reason=reason)
        return self._store.service.write(request, v1.RollbackModelAliasResponse).move.to_number

    def remove_alias(self, alias: str, reason: str = "") -> None:
        """Let an alias point at nothing, which is a move like any other; raises NotFound.

        >>> made = store.models["doc-unpointed"].register(store["churn@1"]).promote("champion")
        >>> store.models["doc-unpointed"].remove_alias("champion", reason="withdrawn")
        >>> store.models["doc-unpointed"].moves().column("to")
        [None, 1]
        """
        request = v1.MoveModelAliasRequest(model=self.name, alias=alias, reason=reason)
        self._store.service.write(request, v1.MoveModelAliasResponse)

    def describe(
        self,
        *,
        description: str | None = None,
        owner: str | None = None,
        tags: Mapping[str, str] | None = None,
        untag: Iterable[str] = (),
    ) -> None:
        """Say what it is and whose; what is not given, and tags that are not named, stay as they are.

        >>> made = store.models["doc-described"].register(store["churn@1"])
        >>> store.models["doc-described"].describe(owner="risk", tags={"tier": "1"})
        >>> dict(store.models["doc-described"].message.tags)
        {'tier': '1'}
        """
        changes = v1.TagChanges(set=tags, remove=untag)
        request = v1.UpdateModelRequest(model=self.name, description=description, owner=owner, tags=changes)
        self._store.service.write(request, v1.UpdateModelResponse)

    @property
    def message(self) -> v1.RegisteredModel:
        """The model as the registry has it; raises NotFound.

        >>> made = store.models["doc-as-it-is"].register(store["churn@1"])
        >>> store.models["doc-as-it-is"].message.latest_number
        1
        """
        request = v1.GetModelRequest(model=self.name)
        found = self._store.service.read(request, v1.GetModelResponse).model
        return found

    def archive(self) -> None:
        """Take it out of use: no new versions, no moves; raises Refused while a service runs a version of it.

        >>> made = store.models["doc-old"].register(store["churn@1"])
        >>> store.models["doc-old"].archive()
        """
        self._store.service.write(v1.ArchiveModelRequest(model=self.name), v1.ArchiveModelResponse)

    def restore(self) -> None:
        """Take it back into use.

        >>> made = store.models["doc-again"].register(store["churn@1"])
        >>> store.models["doc-again"].archive()
        >>> store.models["doc-again"].restore()
        """
        self._store.service.write(v1.RestoreModelRequest(model=self.name), v1.RestoreModelResponse)

    def set_gates(self, *rules: str, alias: str = "") -> None:
        """Say what a version must show before an alias (without one: any) may point at it; no rules, no gates.

        >>> made = store.models["doc-gates"].register(store["churn@1"])
        >>> store.models["doc-gates"].set_gates("auc >= 0.9", alias="champion")
        """
        for rule in rules:
            if not isinstance(rule, str):
                raise refused(f"rules: {rule!r:.60} is no text; give each rule by itself, set_gates('auc >= 0.9', …).")
        request = v1.SetModelGatesRequest(model=self.name, alias=alias, rules=rules)
        self._store.service.write(request, v1.SetModelGatesResponse)

    def gates(self) -> Table:
        """Return the rules that versions must meet, by alias; "" stands for every alias.

        >>> made = store.models["doc-rules"].register(store["churn@1"])
        >>> store.models["doc-rules"].set_gates("auc >= 0.9", "files verified", alias="champion")
        >>> store.models["doc-rules"].gates().column("rule")
        ['auc >= 0.9', 'files verified']
        """
        request = v1.GetModelGatesRequest(model=self.name)
        found = self._store.service.read(request, v1.GetModelGatesResponse).gates
        return table_of([{"alias": one.alias, "rule": rule} for one in found for rule in one.rules])

    def __repr__(self) -> str:
        """Return the name; asks nobody, so the model need not be there."""
        return f"<Model {self.name}>"

    def _repr_html_(self) -> str:
        from mlmd_client.display import model_html

        return model_html(self)

    def _ipython_key_completions_(self) -> list[str]:
        rows = self.versions().rows
        return [*(alias for row in rows for alias in row["aliases"]), *(row["version"] for row in rows)]


def move_row(move: v1.ModelAliasMove) -> dict[str, Any]:
    """Return a move of an alias as a row; None stands for nothing pointed at.

    >>> move_row(v1.ModelAliasMove(alias="champion", from_number=1, to_number=2))["to"]
    2
    """
    return {
        "sequence": move.sequence,
        "alias": move.alias,
        "from": move.from_number or None,
        "to": move.to_number or None,
        "who": move.subject,
        "when": moment(move.move_ms),
        "reason": move.reason,
        "rolls_back": move.rolls_back or None,
        "overridden": move.overridden or None,
        "gates": [f"{gate.rule}: {'met' if gate.passed else 'NOT MET'} ({gate.detail})" for gate in move.gates],
    }


def deployment_row(deployment: v1.Deployment) -> dict[str, Any]:
    """Return what runs where as a row.

    >>> deployment_row(v1.Deployment(model="churn", number=2, state="DEPLOYMENT_STATE_RUNNING"))["state"]
    'RUNNING'
    """
    return {
        "environment": deployment.environment,
        "service": deployment.service,
        "model": deployment.model,
        "number": deployment.number,
        "state": v1.DeploymentState.Name(deployment.state).removeprefix("DEPLOYMENT_STATE_"),
        "runtime": deployment.runtime,
        "updated": moment(deployment.update_ms),
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
        return store.service.read(v1.ResolveModelRequest(uri=uri), v1.ResolveModelResponse).artifact_id
    except (NotFound, Refused) as error:
        if error.code == Code.INVALID_ARGUMENT or error.facts.get("mlmd-missing") == "model":
            return None
        raise
