"""`import ml_metadata` leads to this client, whether ml-metadata is installed or not."""

import importlib
import importlib.abc
import importlib.machinery
import importlib.util
import sys
from collections.abc import Sequence
from types import ModuleType

NAME = "ml_metadata"
OURS = f"{__package__}.{NAME}"


class _Alias(importlib.abc.Loader):
    """Gives a module of ours under its other name: the same object, so that classes are the same classes."""

    def __init__(self, ours: str) -> None:
        self._ours = ours
        self._spec: importlib.machinery.ModuleSpec | None = None

    def create_module(self, spec: importlib.machinery.ModuleSpec) -> ModuleType:
        """Return our module."""
        module = importlib.import_module(self._ours)
        self._spec = module.__spec__
        return module

    def exec_module(self, module: ModuleType) -> None:
        """Give it back what it knew of itself; it was executed under its own name."""
        module.__spec__ = self._spec


class _Finder(importlib.abc.MetaPathFinder):
    """Finds `ml_metadata` and everything below it among our modules."""

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> importlib.machinery.ModuleSpec | None:
        """Return how the alias is loaded, None for what is not ours to find."""
        if fullname != NAME and not fullname.startswith(f"{NAME}."):
            return None
        ours = OURS + fullname.removeprefix(NAME)
        found = importlib.util.find_spec(ours)
        if found is None:
            return None
        package = found.submodule_search_locations is not None
        return importlib.machinery.ModuleSpec(fullname, _Alias(ours), origin=found.origin, is_package=package)


def install() -> None:
    """Let `import ml_metadata` lead here from now on, also where ml-metadata is installed.

    Raises RuntimeError when the other one was imported before: objects of both would meet in one program.
    """
    loaded = sys.modules.get(NAME)
    if loaded is not None and loaded.__name__ != OURS:
        raise RuntimeError("ml_metadata is imported already; call mlmd_client.compat.install() before that.")
    if not any(isinstance(finder, _Finder) for finder in sys.meta_path):
        sys.meta_path.insert(0, _Finder())
