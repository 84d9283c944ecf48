"""Every class, method, parameter and default of Google's library is here too."""

import inspect
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.reference import client as reference
from tests.services.missing import missing

pytestmark = pytest.mark.reference

DESCRIBE = """
import importlib, inspect, json, sys
import ml_metadata as mlmd
def face(call):
    shown = []
    for parameter in inspect.signature(call).parameters.values():
        default = parameter.default
        shown.append([parameter.name, parameter.kind.name, "none" if default is parameter.empty else repr(default)])
    return shown
def describe(module):
    found = {}
    for name, value in vars(module).items():
        if name.startswith("_") or inspect.ismodule(value) or getattr(value, "__module__", "").startswith("typing"):
            continue
        if inspect.isclass(value) and issubclass(value, Exception):
            made = value("m", 9) if name == "StatusError" else value("m")
            found[name] = [base.__name__ for base in value.__mro__], made.message, made.error_code, str(made)
        elif inspect.isclass(value):
            found[name] = {key: face(call) for key, call in inspect.getmembers(value, inspect.isfunction)
                if not key.startswith("_") or key in ("__init__", "_call", "_call_method")}
            if hasattr(value, "__members__"):
                found[name] = {key: member.value for key, member in value.__members__.items()}
        elif callable(value):
            found[name] = face(value)
        else:
            found[name] = repr(value) if isinstance(value, (int, str)) else type(value).__name__
    return found
print(json.dumps({name: describe(importlib.import_module(name)) for name in sys.argv[1:]}))
"""
MODULES = [
    "ml_metadata",
    "ml_metadata.errors",
    "ml_metadata.version",
    "ml_metadata.tools",
    "ml_metadata.metadata_store",
    "ml_metadata.metadata_store.metadata_store",
    "ml_metadata.metadata_store.mlmd_types",
]
PROTO_MODULES = ["metadata_store_pb2", "metadata_store_service_pb2", "metadata_store_service_pb2_grpc"]
NOT_OURS = {"metadata_store_serialized"}
"""The compiled extension, which nobody outside of the library calls."""


def described(program: list[str], folder: Path) -> Any:
    done = subprocess.run([*program, "-c", DESCRIBE, *MODULES], capture_output=True, text=True, cwd=folder)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


@pytest.fixture(scope="module")
def both(tmp_path_factory: pytest.TempPathFactory) -> tuple[Any, Any]:
    """What the modules of Google's library hold, and what ours of the same names do."""
    if (sentence := reference.absence()) is not None:
        missing(sentence)
    folder = tmp_path_factory.mktemp("signatures")
    googles = described([str(reference.PYTHON), "-I"], folder)
    return googles, described([sys.executable, "-m", "mlmd_client.compat"], folder)


@pytest.mark.parametrize("module", MODULES)
def test_what_a_module_holds(module: str, both: tuple[Any, Any]) -> None:
    googles, ours = both[0][module], both[1][module]
    assert set(googles) - set(ours) <= NOT_OURS
    different = {}
    for name, theirs in googles.items():
        mine = ours.get(name, theirs)
        if isinstance(theirs, dict) and name != "OrderByField":
            mine = {key: value for key, value in mine.items() if key in theirs}
        if mine != theirs:
            different[name] = (theirs, mine)
    assert different == {}


NAMES = "import ml_metadata.proto.{0} as m; print(sorted(n for n in vars(m) if not n.startswith('_')))"


@pytest.mark.parametrize("module", PROTO_MODULES)
def test_what_the_generated_modules_hold(module: str, tmp_path: Path) -> None:
    if (sentence := reference.absence()) is not None:
        missing(sentence)
    googles, ours = (
        subprocess.run([*program, "-c", NAMES.format(module)], capture_output=True, text=True, cwd=tmp_path, check=True)
        for program in ([str(reference.PYTHON), "-I"], [sys.executable, "-m", "mlmd_client.compat"])
    )
    imports = {"ml__metadata_dot_proto_dot_metadata__store__pb2", "google_dot_protobuf_dot_descriptor__pb2"}
    absent = set(json.loads(googles.stdout.replace("'", '"'))) - set(json.loads(ours.stdout.replace("'", '"')))
    assert {name for name in absent if "_dot_" not in name} - imports == set()
    assert inspect.cleandoc(googles.stderr) == ""
