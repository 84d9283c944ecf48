"""A version: an artifact as people know it, by name and number, with its files, its origin and what came of it."""

from functools import cached_property
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

from mlmd_schemas.pb import metadata_store_pb2 as pb
from mlmd_schemas.pb import metadata_store_service_pb2 as mlmd
from mlmd_schemas.pb.v1 import collections_pb2

from mlmd_client.failures import not_found, refused
from mlmd_client.formats import COLUMNS, HEADER_LEVELS, INDEX_LEVELS, read_frame, read_typed_csv
from mlmd_client.tables import moment
from mlmd_client.values import properties_of

if TYPE_CHECKING:
    import datetime

    from mlmd_client.finding import RunFacts
    from mlmd_client.store import Store
    from mlmd_client.walks import Graph


class Version:
    """A version of a name, or an artifact that is none; made by `Run.use`, `Run.log_*` and `store["name@3"]`.

    >>> churn = store["churn@latest"]
    >>> churn.name, churn.number, churn.ref, churn.type, churn.state, churn.aliases
    ('churn', 2, 'churn@2', 'system.Model', 'LIVE', ['champion'])
    >>> churn.id == churn.message.id, churn.uri == churn.message.uri, churn.created.tzname()
    (True, True, 'UTC')
    """

    def __init__(self, store: "Store", artifact: pb.Artifact, version: collections_pb2.Version | None = None) -> None:
        self._store = store
        self._given = artifact, version

    @property
    def _artifact(self) -> pb.Artifact:
        return self._given[0]

    @property
    def _version(self) -> collections_pb2.Version | None:
        return self._given[1]

    # --- what it is ---------------------------------------------------------------------------------------------------

    @property
    def id(self) -> int:
        """The id of the artifact."""
        return self._artifact.id

    @property
    def type(self) -> str:
        """The name of its type, `system.Model` for example."""
        return self._artifact.type

    @property
    def name(self) -> str:
        """Its name without the number; that of the artifact when it is no version."""
        return self._version.name if self._version is not None else self._artifact.name

    @property
    def number(self) -> int:
        """Its number, from 1; 0 when it is no version of a name."""
        return self._version.number if self._version is not None else 0

    @cached_property
    def ref(self) -> str:
        """What to ask for it by: `churn@3`, `system.Model/churn@3` where the name is that of several types.

        It is `artifact:7` when it is no version of a name.

        >>> store["churn@1"].ref
        'churn@1'
        """
        if not self.number:
            return f"artifact:{self.id}"
        from mlmd_client.resolution import sure_name

        return f"{sure_name(self._store.service, self.type, self.name)}@{self.number}"

    @property
    def aliases(self) -> list[str]:
        """The aliases that pointed here when it was asked for."""
        return list(self._version.aliases) if self._version is not None else []

    @property
    def uri(self) -> str:
        """Where its files are, for programs that read them without this package."""
        return self._artifact.uri

    @property
    def state(self) -> str:
        """MLMD's name of its state: LIVE, PENDING, ABANDONED …"""
        return pb.Artifact.State.Name(self._artifact.state)

    @property
    def created(self) -> "datetime.datetime | None":
        """When it was made, in UTC."""
        return moment(self._artifact.create_time_since_epoch)

    @property
    def properties(self) -> dict[str, Any]:
        """Its properties by name, as Python values.

        >>> store["churn@1"].properties["framework"]
        'doc'
        """
        return properties_of(self._artifact)

    @property
    def message(self) -> pb.Artifact:
        """The artifact as MLMD has it."""
        return self._artifact

    @property
    def url(self) -> str:
        """An address of it that can be passed on.

        >>> store["churn@1"].url.endswith(f"/artifact/{store['churn@1'].id}")
        True
        """
        return self._store.url_of("artifact", self.id)

    # --- its files ----------------------------------------------------------------------------------------------------

    @cached_property
    def path(self) -> Path:
        """Where its files are on this machine, fetched when they are not: the file, or the folder of several.

        >>> store["churn-train@1"].path.name
        'train.csv'
        """
        return self._store.fetch(self)

    def download(self, folder: "str | Path", *, overwrite: bool = False) -> Path:
        """Fetch its files into a folder and return the folder, or the file in it when there is one only.

        A file that is there with the same bytes is left, one of another version of the same name is replaced. Raises
        Refused, and fetches nothing, for any other, unless `overwrite` gives it up.

        >>> import tempfile
        >>> store["churn-train@1"].download(tempfile.mkdtemp()).name
        'train.csv'
        """
        return self._store.fetch(self, Path(folder), overwrite=overwrite)

    def open(self, path: str = "", mode: str = "rb", **options: Any) -> IO[Any]:
        """Open one of its files for reading, as `open` does; `path` may be left out when there is one only.

        >>> with store["churn-train@1"].open(mode="rt") as file:
        ...     file.readline()
        'x,y\\n'
        """
        if any(letter in mode for letter in "wax+"):
            raise refused(f"mode: {mode!r} writes, and versions never change; log a new one instead.")
        return self._file(path).open(mode, **options)

    def df(self, path: str = "", **options: Any) -> Any:
        """Read a file of it into a pandas DataFrame, by its ending: csv, tsv, parquet, json, jsonl, feather, xlsx.

        A table that was logged has the types that it had, where it is kept as CSV as far as that can tell.

        >>> store["churn-train@1"].df()["x"].tolist()
        [1, 2]
        """
        levels = self.properties.get(INDEX_LEVELS, 0)
        if levels and not path:
            options = {"index_col": list(range(levels)) if levels > 1 else 0, **options}
        lines = self.properties.get(HEADER_LEVELS, 0)
        if lines and not path:
            options = {"header": list(range(lines)), **options}
        file = self._file(path)
        types = self.properties.get(COLUMNS)
        if not lines and "dtype" not in options and file.suffix == ".csv" and isinstance(types, dict):
            return read_typed_csv(file, types, **options)
        return read_frame(file, **options)

    def load(self) -> Any:
        """Return the object that was logged: a model, or whatever was pickled. Load only what you trust.

        >>> store["churn@1"].load()
        {'weights': [1, 2]}
        """
        from mlmd_client.formats import load_object

        file = self._file("")
        return self.df() if file.suffix.lower() == ".csv" else load_object(file)

    def _file(self, path: str) -> Path:
        root = self.path
        if path:
            found = root / path if root.is_dir() else root
            if not found.is_file() or (not root.is_dir() and root.name != path):
                raise not_found(f"path: {self.ref} has no file {path!r}; it has {self._listed()}.")
            return found
        if root.is_dir():
            raise refused(f"path: {self.ref} has several files; say which: {self._listed()}.")
        return root

    def _listed(self) -> str:
        root = self.path
        files = (
            sorted(str(one.relative_to(root)) for one in root.rglob("*") if one.is_file())
            if root.is_dir()
            else [root.name]
        )
        return ", ".join(map(repr, files[:8])) + (", …" if len(files) > 8 else "")

    # --- where it stands ----------------------------------------------------------------------------------------------

    @property
    def run(self) -> "RunFacts | None":
        """The run that made it; None when nothing is known to have made it.

        >>> store["churn@1"].run.name
        'doc/setup/1'
        """
        request = mlmd.GetEventsByArtifactIDsRequest(artifact_ids=[self.id])
        events = self._store.service.read(request, mlmd.GetEventsByArtifactIDsResponse).events
        made = [event.execution_id for event in events if event.type in (pb.Event.OUTPUT, pb.Event.DECLARED_OUTPUT)]
        return self._store.run_facts(made[0]) if made else None

    def lineage(self, hops: int = 0, **options: Any) -> "Graph":
        """Return everything that it came from and that came from it.

        >>> {"churn@1", "churn-train@1"} <= set(store["churn@1"].lineage().names())
        True
        """
        return self._store.lineage(self, hops, **options)

    def provenance(self, hops: int = 0, **options: Any) -> "Graph":
        """Return what it came from: data, code, parameters.

        >>> "churn-train@1" in store["churn@1"].provenance().names()
        True
        """
        return self._store.provenance(self, hops, **options)

    def impact(self, hops: int = 0, **options: Any) -> "Graph":
        """Return what came from it: every model downstream.

        >>> "churn@1" in store["churn-train@1"].impact().names()
        True
        """
        return self._store.impact(self, hops, **options)

    def set_alias(self, alias: str, reason: str = "", expected: int | None = None) -> None:
        """Point an alias here; with `expected` only if it points at that number now (0: at nothing). Raises Refused.

        >>> store["churn@1"].set_alias("steady", reason="it has served for a year")
        >>> store["churn@steady"].number
        1
        """
        if self._version is None:
            raise refused(f"alias: {self.ref} is no version of a name, and aliases point at versions.")
        request = collections_pb2.MoveAliasRequest(
            type_name=self.type,
            name=self.name,
            alias=alias,
            number=self.number,
            reason=reason,
            expected_number=expected,
        )
        self._store.service.write(request, collections_pb2.MoveAliasResponse)

    def __repr__(self) -> str:
        """Return type, reference, aliases and URL, as they were when the version was read."""
        return f"<{self.type} {self.ref}{' ' + ', '.join(self.aliases) if self.aliases else ''} {self.url}>"

    def __fspath__(self) -> str:
        """Return `path` for `open`, `os` and `pathlib`: the files are fetched if they are not here yet."""
        return str(self.path)

    def _repr_html_(self) -> str:
        from mlmd_client.display import version_html

        return version_html(self)
