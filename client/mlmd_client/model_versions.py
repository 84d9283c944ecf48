"""One version of a registered model: checked, promoted, deployed, archived."""

from collections.abc import Iterable, Mapping
from html import escape
from typing import TYPE_CHECKING, Any, Self
from urllib.parse import quote

from mlmd_schemas.pb.v1 import registry_pb2 as v1

from mlmd_client.failures import refused
from mlmd_client.tables import Table

if TYPE_CHECKING:
    from mlmd_client.store import Store
    from mlmd_client.versions import Version
    from mlmd_client.walks import Graph


def format_of(text: str) -> v1.ModelFormat:
    """Return a format that is written `name` or `name:version`.

    >>> format_of("onnx:1").version
    '1'
    """
    name, _, version = text.partition(":")
    return v1.ModelFormat(name=name, version=version)


class Card(str):
    """A card: text, that a notebook shows as the page that it is.

    >>> Card("# churn 1") == "# churn 1"
    True
    """

    _is_html: bool

    def __new__(cls, text: str, *, is_html: bool = False) -> Self:
        """Return a card whose text is Markdown, or HTML."""
        made = super().__new__(cls, text)
        made._is_html = is_html
        return made

    def _repr_markdown_(self) -> str | None:
        return None if self._is_html else str(self)

    def _repr_html_(self) -> str | None:
        return (
            f'<iframe sandbox srcdoc="{escape(self)}" style="width:100%;height:40em;border:0"></iframe>'
            if self._is_html
            else None
        )


class ModelVersion:
    """A version of a registered model.

    >>> version = store.models["doc-one"].register(store["churn@1"])
    >>> version.ref, version.artifact.ref
    ('models:/doc-one/1', 'churn@1')
    >>> version.model, version.number, version.name, version.aliases, version.archived, version.message.model
    ('doc-one', 1, '1', [], False, 'doc-one')
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
    def name(self) -> str:
        """Its name, by default its number."""
        return self.message.name

    @property
    def aliases(self) -> list[str]:
        """The aliases that pointed here when it was asked for."""
        return list(self.message.aliases)

    @property
    def archived(self) -> bool:
        """Whether it was out of use when it was asked for."""
        return self.message.state == v1.MODEL_STATE_ARCHIVED

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
        answer = self._store.service.read(request, v1.CheckModelGatesResponse)
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
        self._store.service.write(request, v1.MoveModelAliasResponse)
        asked = v1.GetModelVersionRequest(model=self.model, version=str(self.number))
        return ModelVersion(self._store, self._store.service.read(asked, v1.GetModelVersionResponse).version)

    def describe(
        self,
        *,
        description: str | None = None,
        author: str | None = None,
        tags: Mapping[str, str] | None = None,
        untag: Iterable[str] = (),
        format: str | None = None,
        signature: str | None = None,
    ) -> "ModelVersion":
        """Say what it is; what is not given, and tags that are not named, stay as they are.

        >>> version = store.models["doc-told"].register(store["churn@1"], tags={"a": "1", "b": "2"})
        >>> told = version.describe(description="on May's data", format="onnx:1", tags={"a": "3"}, untag=["b"])
        >>> told.message.description, told.message.format.version, dict(told.message.tags)
        ("on May's data", '1', {'a': '3'})
        """
        request = v1.UpdateModelVersionRequest(
            model=self.model,
            version=str(self.number),
            description=description,
            author=author,
            tags=v1.TagChanges(set=tags, remove=untag),
            format=None if format is None else format_of(format),
            signature=signature,
        )
        return ModelVersion(self._store, self._store.service.write(request, v1.UpdateModelVersionResponse).version)

    def approve(self, reason: str = "", *, withdraw: bool = False) -> None:
        """Say that you approve of it, or take that back; gates may ask for approvals.

        >>> store.models["doc-approve"].register(store["churn@1"]).approve("looked at the curves")
        """
        request = v1.ApproveModelVersionRequest(
            model=self.model, version=str(self.number), reason=reason, withdraw=withdraw
        )
        self._store.service.write(request, v1.ApproveModelVersionResponse)

    def archive(self) -> "ModelVersion":
        """Take it out of use; raises Refused while an alias points here or a service runs it.

        >>> store.models["doc-archive"].register(store["churn@1"]).archive().archived
        True
        """
        asked = v1.ArchiveModelVersionRequest(model=self.model, version=str(self.number))
        return ModelVersion(self._store, self._store.service.write(asked, v1.ArchiveModelVersionResponse).version)

    def restore(self) -> "ModelVersion":
        """Take it back into use.

        >>> store.models["doc-restore"].register(store["churn@1"]).archive().restore().archived
        False
        """
        asked = v1.RestoreModelVersionRequest(model=self.model, version=str(self.number))
        return ModelVersion(self._store, self._store.service.write(asked, v1.RestoreModelVersionResponse).version)

    def deployed(self, environment: str, service: str, state: str = "RUNNING", *, runtime: str = "") -> "ModelVersion":
        """Note that a service serves it: PENDING, RUNNING, FAILED or STOPPED. Raises Refused.

        >>> made = store.models["doc-deployed"].register(store["churn@1"]).deployed("prod", "scorer", runtime="onnx")
        >>> made.number
        1
        """
        state = state.upper()
        if f"DEPLOYMENT_STATE_{state}" not in v1.DeploymentState.keys()[1:]:
            raise refused(f"state: {state!r} is none of PENDING, RUNNING, FAILED, STOPPED.")
        request = v1.RecordDeploymentRequest(
            model=self.model,
            version=str(self.number),
            environment=environment,
            service=service,
            runtime=runtime,
            state=f"DEPLOYMENT_STATE_{state}",
        )
        self._store.service.write(request, v1.RecordDeploymentResponse)
        return self

    def card(self, *, html: bool = False) -> Card:
        """Return its card, one page about it from the facts of the store, in Markdown or HTML.

        >>> store.models["doc-card"].register(store["churn@1"]).card().startswith("# ")
        True
        """
        form = v1.CARD_FORMAT_HTML if html else v1.CARD_FORMAT_MARKDOWN
        request = v1.GetModelCardRequest(model=self.model, version=str(self.number), format=form)
        return Card(self._store.service.read(request, v1.GetModelCardResponse).card, is_html=html)

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
        """Return reference and aliases as they were when the version was read; asks nobody."""
        return f"<ModelVersion {self.ref}{' ' + ', '.join(self.aliases) if self.aliases else ''}>"

    def _repr_html_(self) -> str:
        from mlmd_client.display import model_version_html

        return model_version_html(self)
