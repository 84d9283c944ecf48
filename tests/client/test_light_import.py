"""What `import mlmd_client` brings along: grpcio and protobuf, and nothing that takes its time."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from tests.packaging.wheels import ROOT

LOADED = """
import json, sys
sys.path[:0] = sys.argv[2:]
before = set(sys.modules)
__import__(sys.argv[1], fromlist=["*"])
tops = {name.partition(".")[0] for name in set(sys.modules) - before}
print(json.dumps(sorted(tops - sys.stdlib_module_names)))
"""
OURS = {"mlmd_client", "mlmd_schemas", "mlmd_metrics"}
BARE = {"google", "grpc", "typing_extensions", "cython_runtime"}
BROUGHT_BY_GRPC = {"grpc_health", "grpc_reflection", "grpc_status", "grpc_tools", "grpc_channelz", "grpc_csds"}
"""It imports these where they are installed, whoever imports it."""


@pytest.mark.parametrize(
    "module",
    [
        "mlmd_client",
        "mlmd_client.transport",
        "mlmd_client.metadata_store",
        "mlmd_client.compat",
        "mlmd_client.compat.ml_metadata",
        "mlmd_client.compat.ml_metadata.metadata_store.metadata_store",
    ],
)
def test_an_import_brings_nothing_but_what_a_bare_install_has(module: str, tmp_path: Path) -> None:
    folders = [str(ROOT / name) for name in ("client", "schemas", "metrics")]
    done = subprocess.run(
        [sys.executable, "-c", LOADED, module, *folders], capture_output=True, text=True, cwd=tmp_path, check=True
    )
    tops = json.loads(done.stdout)
    foreign = {name for name in tops if not name.startswith(("_", "mlmd_"))} - BARE - BROUGHT_BY_GRPC
    assert foreign == set()
    assert {name for name in tops if name.startswith("mlmd_")} <= OURS


HEAVY = {"grpc", "asyncio", "ssl", "http", "socket", "sqlite3", "subprocess", "tempfile", "importlib.metadata"}
"""What takes its time, and is needed when a store is opened, a file is sent or a graph is asked for, not before."""
PB = {
    "mlmd_schemas.pb.metadata_store_pb2",
    "mlmd_schemas.pb.metadata_store_service_pb2",
    "mlmd_schemas.pb.v1.collections_pb2",
    "mlmd_schemas.pb.v1.metrics_pb2",
    "mlmd_schemas.pb.v1.runs_pb2",
    "mlmd_schemas.pb.v1.server_pb2",
}
MOST_OF_OURS = 30


def test_what_logs_is_there_before_anything_heavy_is_loaded(tmp_path: Path) -> None:
    """Counted rather than timed: whoever else uses the machine has no part in it."""
    program = (
        "import json, sys; sys.path[:0] = sys.argv[1:]; from mlmd_client import Run, Store, Version; "
        "print(json.dumps(sorted(sys.modules)))"
    )
    folders = [str(ROOT / name) for name in ("client", "schemas", "metrics")]
    done = subprocess.run(
        [sys.executable, "-c", program, *folders], capture_output=True, text=True, cwd=tmp_path, check=True
    )
    loaded = set(json.loads(done.stdout))
    assert loaded & HEAVY == set()
    assert {name for name in loaded if name.endswith("_pb2") and name.startswith("mlmd_")} <= PB
    assert len([name for name in loaded if name.startswith("mlmd_client")]) <= MOST_OF_OURS


HELP = (
    "import json, sys; sys.path[:0] = sys.argv[1:]; sys.argv = ['mlmd', '--help']\n"
    "from mlmd_client.command_line import main\n"
    "try:\n    main()\nfinally:\n    print(json.dumps(sorted(sys.modules)))"
)
NOT_FOR_HELP = {"sqlalchemy", "alembic", "starlette", "graphql", "numpy", "pandas", "sqlite3", "mlmd_server"}
NOT_FOR_HELP |= {"grpc", "google", "rich", "asyncio", "ssl", "socket", "urllib.request", "zipfile"}
MOST_FOR_HELP = 5
"""`mlmd` says what it can do in the time that Python and click take to start."""


def test_help_on_the_command_line_loads_no_store_and_no_arrays(tmp_path: Path) -> None:
    folders = [str(ROOT / name) for name in ("client", "schemas", "metrics")]
    done = subprocess.run(
        [sys.executable, "-c", HELP, *folders], capture_output=True, text=True, cwd=tmp_path, check=True
    )
    usage, _, loaded = done.stdout.rstrip().rpartition("\n")
    assert usage.startswith("Usage: mlmd")
    modules = set(json.loads(loaded))
    assert {name.partition(".")[0] for name in modules} & NOT_FOR_HELP == set()
    ours = [name for name in modules if name.startswith("mlmd_")]
    assert len(ours) <= MOST_FOR_HELP, ours
