"""The names that the Tab key offers, read from a SQLite file by statements of their own.

Somebody waits with a finger on the key: SQLAlchemy, and what opens a store, take a second to load, and a store that is
opened keeps its house. Here nothing but Python's sqlite3 is loaded, and nothing is written. The client finds it by the
entry point `names` of the group `mlmd.transports`.
"""

import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

_MOST = 100
_VERSIONS = """
    SELECT number FROM mlmd_versions WHERE context_id = :context ORDER BY number DESC LIMIT :most"""
_COLLECTIONS = """
    SELECT c.name FROM Context c JOIN Type t ON t.id = c.type_id AND t.type_kind = 2
    WHERE t.name = 'mlmd.Collection' AND substr(c.name, instr(c.name, '/') + 1, length(:beginning)) = :beginning
    ORDER BY c.id DESC LIMIT :most"""
_NODES = """
    SELECT c.name FROM Context c JOIN Type t ON t.id = c.type_id AND t.type_kind = 2
    WHERE t.name = :kind AND substr(c.name, 1, length(:beginning)) = :beginning ORDER BY c.id DESC LIMIT :most"""
_COLLECTION = """
    SELECT c.id FROM Context c JOIN Type t ON t.id = c.type_id AND t.type_kind = 2
    WHERE t.name = 'mlmd.Collection' AND c.name = :name"""
_ALIASES = "SELECT alias, number FROM mlmd_aliases WHERE context_id = :context ORDER BY alias"
_RUNS = """
    SELECT e.name FROM Execution e JOIN Type t ON t.id = e.type_id AND t.type_kind = 0
    WHERE t.name = 'mlmd.Run' AND substr(e.name, 1, length(:beginning)) = :beginning ORDER BY e.id DESC LIMIT :most"""
_MODELS = """
    SELECT c.id, c.name FROM Context c
    JOIN Type t ON t.id = c.type_id AND t.type_kind = 2 AND t.name = 'kf.RegisteredModel' AND t.version IS NULL
    LEFT JOIN ContextProperty p ON p.context_id = c.id AND p.name = 'state' AND p.is_custom_property = 0
    WHERE substr(c.name, 1, length(:beginning)) = :beginning
      AND (:archived OR p.string_value IS NULL OR p.string_value <> 'ARCHIVED')
    ORDER BY c.name LIMIT :most"""
_MODEL_VERSIONS = """
    SELECT v.name FROM mlmd_model_versions n JOIN Context v ON v.id = n.version_id JOIN Context m ON m.id = n.model_id
    WHERE m.name = :model ORDER BY n.number DESC LIMIT :most"""
_SERVICES = """
    SELECT e.name, s.name FROM Context s JOIN Type t ON t.id = s.type_id AND t.name = 'kf.InferenceService'
    JOIN Context e ON e.id = CAST(substr(s.name, 1, instr(s.name, ':') - 1) AS INTEGER)
    WHERE EXISTS (SELECT 1 FROM Association a WHERE a.context_id = s.id) ORDER BY s.id DESC LIMIT :most"""
_WEBHOOKS = "SELECT id FROM mlmd_webhooks ORDER BY id DESC LIMIT :most"


class NamesInFile:
    """See `mlmd_client.command_line.offers.Names`. Raises sqlite3.Error for a file that is no store's."""

    def __init__(self, file: Path) -> None:
        """Read a store's SQLite file."""
        self._uri = f"{file.absolute().as_uri()}?mode=ro"

    def collections(self, beginning: str) -> list[tuple[str, str]]:
        """Return type and name of what has versions, where the name begins so."""
        return _parted(self._rows(_COLLECTIONS, beginning=beginning))

    def typed_collections(self, beginning: str) -> list[tuple[str, str]]:
        """Return type and name of what has versions, where `TYPE/NAME` begins so."""
        return _parted(self._rows(_NODES, kind="mlmd.Collection", beginning=beginning))

    def versions(self, type_name: str, name: str) -> list[tuple[int, list[str]]]:
        """Return numbers with aliases, the newest first."""
        ((context,),) = self._rows(_COLLECTION, name=f"{type_name}/{name}")
        aliases = self._rows(_ALIASES, context=context)
        numbers = self._rows(_VERSIONS, context=context)
        return [(number, [alias for alias, of in aliases if of == number]) for (number,) in numbers]

    def runs(self, beginning: str) -> list[str]:
        """Return names of runs, the newest first."""
        return [name for (name,) in self._rows(_RUNS, beginning=beginning)]

    def experiments(self, beginning: str) -> list[str]:
        """Return names of experiments, the newest first."""
        return [name for (name,) in self._rows(_NODES, kind="mlmd.Experiment", beginning=beginning)]

    def models(self, beginning: str, *, archived: bool) -> list[tuple[str, list[str]]]:
        """Return names of registered models with their aliases, in order."""
        found = self._rows(_MODELS, beginning=beginning, archived=archived)
        return [(name, [alias for alias, _ in self._rows(_ALIASES, context=model)]) for model, name in found]

    def model_versions(self, model: str) -> list[str]:
        """Return names of a registered model's versions, the newest first."""
        return [_owned(name) for (name,) in self._rows(_MODEL_VERSIONS, model=model)]

    def deployments(self) -> list[tuple[str, str]]:
        """Return environments and services of deployments."""
        return [(environment, _owned(service)) for environment, service in self._rows(_SERVICES)]

    def webhooks(self) -> list[int]:
        """Return ids."""
        return [number for (number,) in self._rows(_WEBHOOKS)]

    def _rows(self, statement: str, **parameters: Any) -> list[tuple[Any, ...]]:
        with closing(sqlite3.connect(self._uri, uri=True)) as connection:
            return connection.execute(statement, {**parameters, "most": _MOST}).fetchall()


def _parted(rows: list[tuple[Any, ...]]) -> list[tuple[str, str]]:
    return [(kind, name) for kind, _, name in (row[0].partition("/") for row in rows)]


def _owned(stored: str) -> str:
    """Return the name that users see of a node that is stored as `<owner's id>:<name>`."""
    return stored.partition(":")[2] or stored
