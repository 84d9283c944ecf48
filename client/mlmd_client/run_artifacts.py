"""What a run reads and makes: using is lineage."""

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mlmd_schemas.pb import metadata_store_pb2 as pb
from mlmd_schemas.pb import metadata_store_service_pb2 as mlmd

from mlmd_client.delivery import PUT_EVENTS
from mlmd_client.failures import refused
from mlmd_client.formats import write_object
from mlmd_client.names import ARTIFACT_TYPE, DATASET_TYPE, MODEL_TYPE
from mlmd_client.points import checked_name
from mlmd_client.values import value_of, values_of
from mlmd_client.versions import Version

if TYPE_CHECKING:
    from mlmd_client.delivery import Addressee
    from mlmd_client.outbox import Outbox
    from mlmd_client.store import Store

RESTART_SECONDS = 30.0
"""How long what a run reads or makes waits for a server that is away: hours of training hang on it."""


class RunArtifacts:
    """The part of a run that reads and makes artifacts: each is an event, and nobody writes events by hand.

    >>> with store.run("doc/artifacts") as run:
    ...     data = run.use("churn-train@latest").df()
    ...     model = run.log_model("doc-counts", {"rows": len(data)})
    >>> "churn-train@1" in model.provenance().names()
    True
    """

    _store: "Store"
    _addressee: "Addressee"
    _kept: dict[str, int]
    """How many versions of each name rank 0 keeps, as far as this rank knows."""

    @property
    def is_writer(self) -> bool:
        """Whether this process writes."""
        raise NotImplementedError

    @property
    def id(self) -> int:
        """The id of its execution."""
        raise NotImplementedError

    def _outbox(self) -> "Outbox":
        raise NotImplementedError

    def _lives(self) -> bool:
        """Whether the server takes the run for one that goes on."""
        raise NotImplementedError

    def use(self, what: "str | int | Version", *, type: str = "") -> Version:
        """Say that the run reads a version, and return it, with `.path`, `.open()` and `.df()`. Raises NotFound.

        >>> with store.run("doc/use") as run:
        ...     run.use("churn-train@1").df()["x"].sum()
        np.int64(3)
        """
        outbox = self._outbox()
        with self._store.service.outlasting(RESTART_SECONDS):
            version = self._store.version(what, type=type)
        event = pb.Event(artifact_id=version.id, type=pb.Event.INPUT)
        if version.name:
            event.path.steps.add(key=version.name)
        outbox.put(PUT_EVENTS, mlmd.PutEventsRequest(events=[event]), on_disk=True)
        return version

    def log_dataset(
        self,
        name: str,
        data: Any,
        *,
        properties: Mapping[str, Any] | None = None,
        type: str = DATASET_TYPE,
    ) -> Version:
        """Keep data that the run made as the next version of a name: file, folder, DataFrame or array.

        Data that is there already, byte for byte, is not sent again: the version that has it is returned. A rank that
        does not write keeps nothing and gets the version of rank 0 (`AwaitedVersion`). Raises Refused.

        >>> with store.run("doc/dataset") as run:
        ...     run.log_dataset("doc-data", pandas.DataFrame({"x": [1, 2]}), properties={"split": "train"}).ref
        'doc-data@1'
        """
        return self._log(name, data, type, properties, reuse=True)

    def log_model(
        self,
        name: str,
        model: Any,
        *,
        properties: Mapping[str, Any] | None = None,
        type: str = MODEL_TYPE,
    ) -> Version:
        """Keep a model that the run made as the next version of a name: a file, a folder, or an object to pickle.

        A rank that does not write keeps nothing and gets the version of rank 0 (`AwaitedVersion`). Raises Refused.

        >>> with store.run("doc/model") as run:
        ...     run.log_model("doc-model", {"weights": [1, 2]}).ref
        'doc-model@1'
        """
        return self._log(name, model, type, properties, reuse=False)

    def log_artifact(
        self,
        name: str,
        data: Any,
        *,
        properties: Mapping[str, Any] | None = None,
        type: str = ARTIFACT_TYPE,
    ) -> Version:
        """Keep anything else that the run made as the next version of a name. Raises Refused.

        >>> with store.run("doc/artifact") as run:
        ...     run.log_artifact("doc-report", "all went well").ref
        'doc-report@1'
        """
        return self._log(name, data, type, properties, reuse=False)

    def _log(
        self, name: str, data: Any, type_name: str, properties: Mapping[str, Any] | None, *, reuse: bool
    ) -> Version:
        self._outbox()  # raises Refused when the run takes nothing
        checked_name(name, "name")
        values = values_of(properties, "properties")
        if not self.is_writer:
            return self._awaited(name, reuse=reuse)
        self.id  # noqa: B018 - raises Unreachable before anything is sent
        import tempfile  # slow to import

        from mlmd_schemas.pb.v1.artifacts_pb2 import MadeBy

        with tempfile.TemporaryDirectory(prefix="mlmd-") as folder:
            path, facts = _path_of(data, Path(folder), name)
            known = {key: value_of(value, key) for key, value in facts.items() if key not in values}
            artifact = pb.Artifact(type=type_name, custom_properties={**known, **values})
            made_by = MadeBy(execution_id=self.id, context_id=self._addressee.context_id, path_key=name)
            lasts = not path.is_relative_to(folder)  # what we wrote ourselves is never at the same place again
            with self._store.service.outlasting(RESTART_SECONDS):
                return self._store.keep(artifact, name, path, reuse=reuse, made_by=made_by, resumable=lasts)

    def _awaited(self, name: str, *, reuse: bool) -> Version:
        """Return what rank 0 keeps at the same place of the program, without waiting for it."""
        from mlmd_client.awaited import AwaitedVersion, await_output

        self._kept[name] = self._kept.get(name, 0) + 1

        def find(number: int = self._kept[name]) -> Version:
            return await_output(self._store, self.id, name, number, any_will_do=reuse, lives=self._lives)

        return AwaitedVersion(self._store, name, find)


def _path_of(data: Any, folder: Path, name: str) -> tuple[Path, dict[str, Any]]:
    """Return a path to the bytes of what was given, written into `folder` when it is no path yet."""
    if isinstance(data, Version):
        raise refused(
            f"data: {data.ref} is in the store already; say that the run reads it with run.use({data.ref!r})."
        )
    if isinstance(data, Path) or (isinstance(data, str) and _looks_like_path(data)):
        path = Path(data)
        if not path.exists():
            from mlmd_client.local_paths import elsewhere, uri_in  # seldom needed

            if uri := uri_in(path):
                raise refused(f"data: {elsewhere(uri)}")
            raise refused(f"data: there is no file or folder {str(path)!r}; check the path, from {str(Path.cwd())!r}.")
        return path, {}
    return write_object(data, folder, name)


def _looks_like_path(text: str) -> bool:
    """Tell a path from a text to keep: something that is there, or that has a folder or an ending."""
    if "\n" in text or len(text) > 1024:
        return False
    return Path(text).exists() or "/" in text or (" " not in text and Path(text).suffix != "")
