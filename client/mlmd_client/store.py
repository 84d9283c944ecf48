"""The store as people use it: runs, versions by name, and questions about where things came from."""

import os
import time
import weakref
from collections.abc import Callable, Iterable, Mapping
from functools import cached_property
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self, SupportsIndex

from mlmd_schemas.pb import metadata_store_pb2 as pb
from mlmd_schemas.pb import metadata_store_service_pb2 as mlmd
from mlmd_schemas.pb.v1 import server_pb2

from mlmd_client.backlog import Backlog, seconds_until
from mlmd_client.calls import CallError, Transport
from mlmd_client.failures import NotFound, failure_of, refused
from mlmd_client.finding import RunFacts, artifact_of, executions_by_id, facts_of, list_runs, no_run, run_target
from mlmd_client.names import MODELS_SCHEME, Reference, node_id, parse_reference
from mlmd_client.places import address_of, is_told_by_parent, place_of, split_name, told_run
from mlmd_client.questions import Questions
from mlmd_client.run import PARAMETER_PREFIX, Run
from mlmd_client.run_settings import RunSettings
from mlmd_client.service import Service
from mlmd_client.tables import Table
from mlmd_client.tokens import Token
from mlmd_client.transport import Tls, open_transport
from mlmd_client.values import value_of, values_of
from mlmd_client.versions import Version

if TYPE_CHECKING:
    from mlmd_schemas.pb.v1.artifacts_pb2 import MadeBy

    from mlmd_client.metadata_store import MetadataStore
    from mlmd_client.model_watch import Watch
    from mlmd_client.models import Models

_AGAIN_SECONDS = 0.5


class Store(Questions):
    """A store: a server's, or one of this process with SQLite and the files in a folder.

    >>> st = Store()                                   # ./mlmd-data, or what MLMD_SERVER says
    >>> with st.run("first/steps") as run:
    ...     run.metrics(auc=0.91)
    >>> st.runs("first/steps")[0]["auc"]
    0.91
    >>> st.close()
    """

    def __init__(
        self, target: "str | os.PathLike[str] | None" = None, *, token: str = "", tls: Tls | None = None
    ) -> None:
        """Open `grpc://host:port`, `grpcs://host:port`, a folder, or a database's URL.

        Without a target `MLMD_SERVER` says it, without that it is `./mlmd-data`. `token` is `MLMD_TOKEN` unless given,
        or what the file `MLMD_TOKEN_FILE` says at each call. What earlier processes could not send to this store is
        sent now, in the background. Raises Refused for a target that is none, MissingExtra when a package is missing.
        """
        if target is not None and not isinstance(target, str | os.PathLike):
            raise refused(f"target: {target!r:.60} is no text and no path; write grpc://host:port, or a folder.")
        chosen = os.fspath(target or "") or os.environ.get("MLMD_SERVER") or None
        try:
            transport = open_transport(chosen, token=Token.chosen(token), tls=tls)
        except CallError as error:
            raise failure_of(error) from None
        self._begin(transport, address_of(chosen))

    @classmethod
    def over(cls, transport: Transport, address: str) -> Self:
        """Use a transport that is open already; `address` is what another process would open.

        >>> Store.over(store.service.transport, store.address).address == store.address
        True
        """
        made = cls.__new__(cls)
        made._begin(transport, address)
        return made

    def _begin(self, transport: Transport, address: str) -> None:
        self.service = Service(transport)
        self.address = address
        """What another process opens to get to the same store."""
        self.runs_here: weakref.WeakSet[Run] = weakref.WeakSet()
        """The runs of this process that have not ended."""
        self._types: dict[str, int] = {}
        self._backlog = Backlog(address)
        self._backlog.start(self.service)

    @property
    def target(self) -> str:
        """Where it is, as a person would write it.

        >>> Store.over(store.service.transport, "here").target == store.target
        True
        """
        return self.service.target

    # --- runs ---------------------------------------------------------------------------------------------------------

    def run(
        self,
        name: str = "",
        params: Any = None,
        *,
        seed: SupportsIndex | None = None,
        properties: Mapping[str, Any] | None = None,
        type: str = "",
        capture: bool | Iterable[str] | None = None,
        join: str = "",
        rank: int | None = None,
        timeout_seconds: float = 60.0,
        finish_seconds: float = 20.0,
    ) -> Run:
        """Return a run of a step, `experiment/step`, to be entered with `with` (or `async with`, or `start()`).

        `params`, a dictionary, a dataclass, a pydantic model or argparse's namespace, are kept as properties
        `param.<name>`, and `seed` as one of them; nothing is seeded with it. Commit, command line, machine and packages
        are captured, unless `capture=False` or `MLMD_CAPTURE=off`, or `capture=["git"]` says which. Without a name it
        joins the run of the process that started this one (`MLMD_RUN`). The ranks of a distributed training share one
        run, and rank 0 writes; `join` is a text that they have in common where torchrun, MPI or Slurm do not tell.
        After `timeout_seconds` without a sign of life the server takes the run for dead; at its end it waits for at
        most `finish_seconds` for what is still to be sent. Raises Refused.

        >>> with store.run("churn/train", params={"lr": 0.1, "depth": 3}) as run:
        ...     run.metric("train/loss", 0.5)
        >>> store.runs("churn/train")[0]["lr"]
        0.1
        """
        from mlmd_client.capture import captured, with_seed

        told_name, token = told_run(os.environ)
        if token and (not name or (name == told_name and is_told_by_parent(token))):
            experiment, step = split_name(told_name)
            return Run(self, RunSettings(experiment, step, token=token, is_joined=True, finish_seconds=finish_seconds))
        if not name:
            raise refused("name: is empty, and MLMD_RUN tells of no run to join; write experiment/step.")
        experiment, step = split_name(name)
        given = with_seed(params, seed)
        values = {f"{PARAMETER_PREFIX}{key}": value_of(value, f"params[{key!r}]") for key, value in given.items()}
        values |= values_of(properties, "properties")
        for key, value in {"step": step, **captured(capture)}.items():
            values.setdefault(key, value_of(value, key))
        place = place_of(os.environ, join, rank)
        settings = RunSettings(
            experiment,
            step,
            type_name=type,
            place=place,
            properties=values,
            timeout_seconds=timeout_seconds,
            finish_seconds=finish_seconds,
        )
        return Run(self, settings)

    def runs(self, name: str, *, state: str = "", limit: int = 0) -> Table:
        """Return the runs of an experiment, or of a step of it, newest first, with their parameters and numbers.

        The name of one run is understood too. Raises NotFound for an experiment or a step that never had a run.

        >>> store.runs("doc/setup").column("state")
        ['COMPLETE', 'COMPLETE']
        """
        self.settle()
        return list_runs(self.service, name, state, limit)

    def run_facts(self, what: "int | str | Run") -> RunFacts:
        """Return what the store knows of a run, by the id of its execution or its name `experiment/step/number`.

        >>> store.run_facts("doc/setup/1").params
        {'lr': 0.1}
        """
        self.settle()
        by_id = ("execution", what) if isinstance(what, int) else node_id(what)
        told = by_id is not None and by_id[0] == "execution"
        execution_id = by_id[1] if by_id is not None and told else run_target(self.service, what)
        found = executions_by_id(self.service, [execution_id]) if execution_id is not None else []
        if not found:
            raise no_run(self.service, what)
        return facts_of(found[0])

    # --- versions -----------------------------------------------------------------------------------------------------

    def version(self, what: "str | int | Version", *, type: str = "") -> Version:
        """Return a version: `name@3`, `name@alias`, `name` for the newest, `models:/name@alias`, or an artifact's id.

        `artifact:7` is an id too. Raises NotFound, and Refused when several types have the name.

        >>> store.version("churn@champion").number
        2
        """
        from mlmd_client.resolution import resolve, version_of

        if isinstance(what, Version):
            return what
        by_id = node_id(what)
        if by_id is not None and by_id[0] != "artifact":
            raise refused(f"name: {what!r} is no artifact, and only artifacts are versions.")
        if by_id is not None:
            what = by_id[1]
        if isinstance(what, bool):
            raise refused(f"name: {what} names nothing; write name@alias, name@3 or name for the newest version.")
        if isinstance(what, int):
            artifact = artifact_of(self.service, what)
            return Version(self, artifact, version_of(self.service, artifact))
        self.settle()
        if isinstance(what, str) and what.startswith(MODELS_SCHEME) and not type:
            from mlmd_client.models import registered_artifact

            registered = registered_artifact(self, what)
            if registered is not None:
                return self.version(registered)
        found = resolve(self.service, parse_reference(what, type))
        return Version(self, artifact_of(self.service, found.artifact_id), found)

    def __getitem__(self, what: "str | int") -> Version:
        """Return a version by name, or an artifact by id: `store["churn@3"]`."""
        return self.version(what)

    def __contains__(self, what: "str | int | Version") -> bool:
        """Tell whether there is such a version: `"churn@3" in store`; raises Refused for what can name none.

        >>> "churn@1" in store, "no-such-thing" in store
        (True, False)
        """
        try:
            self.version(what)
        except NotFound:
            return False
        return True

    __iter__ = None
    """Versions are very many; `find` lists them by the page."""

    def versions(self, name: str, *, type: str = "") -> Table:
        """Return the versions of a name, newest first, with their aliases.

        >>> store.versions("churn").column("ref")
        ['churn@2', 'churn@1']
        """
        from mlmd_client.resolution import versions_table

        self.settle()
        reference = parse_reference(name, type)
        return versions_table(self.service, Reference(reference.name, reference.type_name))

    def load(self, what: "str | Version", *, type: str = "") -> Any:
        """Return the object in a version: `store.load("models:/churn@champion")`. Load only what you trust.

        >>> store.load("models:/churn@champion")
        {'weights': [3, 4]}
        """
        return self.version(what, type=type).load()

    def keep(
        self,
        artifact: pb.Artifact,
        name: str,
        path: Path,
        *,
        reuse: bool,
        made_by: "MadeBy | None" = None,
        resumable: bool = True,
    ) -> Version:
        """Keep the files at a path as the next version of a name; `artifact` has the type's name.

        Without `made_by` it is the output of no run. Broken off, the same call goes on with it, if it is `resumable`.

        >>> kept = pb.Artifact(type="system.Artifact")
        >>> store.keep(kept, "doc-kept", store["churn-train@1"].path, reuse=False).ref
        'doc-kept@1'
        """
        from mlmd_client.files import send_files

        made = pb.Artifact()
        made.CopyFrom(artifact)
        made.ClearField("type")
        made.type_id = self._type_id(artifact.type)
        options: dict[str, Any] = {"reuse": reuse, "made_by": made_by, "resumable": resumable}
        return self.version(send_files(self.service.transport, made, name, path, **options))

    def fetch(self, version: Version, folder: Path | None = None, *, overwrite: bool = False) -> Path:
        """Return where the files of a version are, fetched into a folder or into the cache (`MLMD_CACHE`).

        Raises Refused for other files in that folder, see `Version.download`.

        >>> store.fetch(store["churn-train@1"]).read_text()
        'x,y\\n1,a\\n2,b\\n'
        """
        from mlmd_client.files import cache_folder, fetched

        target = folder or cache_folder() / self._uuid / str(version.id)
        return fetched(
            self.service.transport, version.id, version.ref, target, marked=folder is None, overwrite=overwrite
        )

    def _type_id(self, name: str) -> int:
        """Return the id of an artifact type, which is made when it is not there."""
        if name not in self._types:
            request = mlmd.PutArtifactTypeRequest(
                artifact_type=pb.ArtifactType(name=name), can_omit_fields=True, all_fields_match=True
            )
            self._types[name] = self.service.write(request, mlmd.PutArtifactTypeResponse).type_id
        return self._types[name]

    # --- the rest -----------------------------------------------------------------------------------------------------

    @cached_property
    def models(self) -> "Models":
        """The model registry.

        >>> store.models["churn"].register(store["churn@1"], author="ana").ref
        'models:/churn/1'
        """
        from mlmd_client.models import Models

        return Models(self)

    def watch(self, what: str, *, call: Callable[[dict[str, Any]], None], on: str = "") -> "Watch":
        """Call a function with every move of an alias of `models/churn` as it happens; `on` is one alias of them.

        >>> watch = store.watch("models/churn", on="champion", call=print)
        >>> watch.stop()
        """
        from mlmd_client.model_watch import Watch, watched_models

        return Watch(self.service, watched_models(what), call, on)

    @cached_property
    def raw(self) -> "MetadataStore":
        """The whole of MLMD underneath, call by call, as `ml_metadata` has it.

        >>> store.raw.get_artifact_type("system.Model").name
        'system.Model'
        """
        from mlmd_client.metadata_store import MetadataStore

        return MetadataStore.over(self.service.transport)

    def url_of(self, kind: str, node_id: int) -> str:
        """Return an address of a node that can be passed on, `<store>/<kind>/<id>`.

        >>> store.url_of("artifact", 7).endswith("/artifact/7")
        True
        """
        return f"mlmd://{self._uuid}/{kind}/{node_id}"

    @cached_property
    def _uuid(self) -> str:
        return self.service.read(server_pb2.GetInfoRequest(), server_pb2.GetInfoResponse).store_uuid

    def sync(self, seconds: float = 20.0) -> int:
        """Send what earlier processes, and this one, could not send yet, for so long; return how many calls are left.

        With a server that hangs, too, it takes no longer than that many `seconds`. Raises Refused for a folder of
        journals that cannot be looked through: what is left in it is not known.

        >>> store.sync()
        0
        """
        until = time.monotonic() + seconds
        left = sum(run.flush(seconds_until(until)) for run in list(self.runs_here))
        while True:
            remaining = self._backlog.send(self.service, until)
            if not remaining or not seconds_until(until):
                return left + remaining
            time.sleep(min(_AGAIN_SECONDS, seconds_until(until)))

    def settle(self) -> None:
        """Send what the runs of this process logged, so that answers know of it.

        >>> store.settle()
        """
        for run in list(self.runs_here):
            run.settle()

    def close(self) -> None:
        """End the runs that are still open, and close the connection.

        >>> Store().close()
        """
        self._close(None)

    def _close(self, error: BaseException | None) -> None:
        try:
            for run in list(self.runs_here):
                run.end_by(error)
        finally:
            self.service.transport.close()

    def __enter__(self) -> Self:
        """Return the store itself; the block's end closes it."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close it; runs that are still open end by what ended the block, FAILED by an error."""
        self._close(error)

    def __repr__(self) -> str:
        """Return where the store is, without a token or password."""
        return f"<Store {self.target}>"
