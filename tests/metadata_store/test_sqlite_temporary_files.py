"""A write to SQLite makes no file in the folder for temporary ones, however many pages it changes.

That a file was there is told by the time at which its folder changed; SQLite asks for the folder once a process.
"""

import os
import subprocess
import sys
from pathlib import Path

LONG_AGO = 1_000_000_000

_WRITES = """
import sys
from mlmd_metadata_store.methods import METADATA_METHODS
from mlmd_metadata_store.store import Store
from mlmd_schemas.caller import LOCAL
from mlmd_schemas.pb import metadata_store_pb2 as pb
from mlmd_schemas.pb import metadata_store_service_pb2 as service

methods = {method.name: method for method in METADATA_METHODS}
store = Store.open(sys.argv[1])

def call(name, **fields):
    return store.call(methods[name], LOCAL, getattr(service, f"{name}Request")(**fields))

artifact_type = call("PutArtifactType", artifact_type=pb.ArtifactType(name="Data")).type_id
run_type = call("PutExecutionType", execution_type=pb.ExecutionType(name="Run")).type_id
for turn in range(3):
    request = service.PutExecutionRequest(execution=pb.Execution(type_id=run_type))
    for number in range(40):
        pair = request.artifact_event_pairs.add()
        pair.artifact.type_id = artifact_type
        pair.artifact.name = f"{turn}-{number * 7919 % 40}"
        for name in range(20):
            pair.artifact.custom_properties[f"property {name}"].string_value = f"value {number}" * 20
        pair.event.type = pb.Event.OUTPUT
        pair.event.path.steps.add(key="data")
    call("PutExecution", **{field.name: value for field, value in request.ListFields()})
"""

_STATEMENTS = """
import sqlite3, sys
database = sqlite3.connect(sys.argv[1].removeprefix("sqlite:///"))
database.execute("CREATE TABLE texts (text TEXT UNIQUE)")
rows = [f"{number * 7919 % 4000}" + "x" * 200 for number in range(4000)]
for start in range(0, 4000, 100):
    database.execute(f"INSERT INTO texts VALUES {', '.join(['(?)'] * 100)}", rows[start : start + 100])
"""


def makes_files(tmp_path: Path, program: str) -> bool:
    """Run a program on a new database; return whether anything came into the folder for temporary files."""
    folder = tmp_path / "temporary"
    folder.mkdir()
    os.utime(folder, (LONG_AGO, LONG_AGO))
    environment = {**os.environ, "SQLITE_TMPDIR": str(folder)}
    command = [sys.executable, "-c", program, f"sqlite:///{tmp_path}/metadata.db"]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    return folder.stat().st_mtime != LONG_AGO


def test_a_write_of_many_rows_makes_none(tmp_path: Path) -> None:
    assert not makes_files(tmp_path, _WRITES)


def test_a_plain_statement_of_many_rows_makes_one(tmp_path: Path) -> None:
    assert makes_files(tmp_path, _STATEMENTS)
