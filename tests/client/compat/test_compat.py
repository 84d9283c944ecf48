"""Programs written for ml_metadata run as they are; beside ml-metadata nobody disturbs anybody."""

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import mlmd_client.compat.ml_metadata as ml_metadata
import pytest
from mlmd_client import metadata_store
from mlmd_client.metadata_store import errors, mlmd_types
from mlmd_schemas.pb import metadata_store_pb2, metadata_store_service_pb2

from tests.packaging.environments import environment_of
from tests.reference import client as reference
from tests.services.missing import missing

ROOT = Path(__file__).resolve().parents[3]
SOURCES = [str(ROOT / folder) for folder in ("client", "schemas", "metrics")]


def run(*arguments: str, folder: Path, status: int = 0) -> subprocess.CompletedProcess[str]:
    """Run a program by the module and return what it left."""
    command = [sys.executable, "-W", "error", "-m", "mlmd_client.compat", *arguments]
    done = subprocess.run(command, capture_output=True, text=True, cwd=folder, timeout=120)
    assert done.returncode == status, done.stderr
    return done


def test_the_names_of_ml_metadata_are_ours() -> None:
    from mlmd_client.compat.ml_metadata.metadata_store import metadata_store as module
    from mlmd_client.compat.ml_metadata.metadata_store import mlmd_types as types
    from mlmd_client.compat.ml_metadata.proto import metadata_store_pb2 as pb
    from mlmd_client.compat.ml_metadata.proto import metadata_store_service_pb2 as service
    from mlmd_client.compat.ml_metadata.proto import metadata_store_service_pb2_grpc as stubs

    assert ml_metadata.MetadataStore is module.MetadataStore is metadata_store.MetadataStore
    assert ml_metadata.ListOptions is metadata_store.ListOptions
    assert ml_metadata.errors.NotFoundError is errors.NotFoundError
    assert types.Dataset is mlmd_types.Dataset
    assert ml_metadata.proto.Artifact is pb.Artifact is metadata_store_pb2.Artifact
    assert service.PutArtifactsRequest is metadata_store_service_pb2.PutArtifactsRequest
    assert hasattr(stubs, "MetadataStoreServiceStub")
    assert (module.MAX_NUM_RESULT, ml_metadata.__version__) == (100, "1.17.1")


PROGRAM = """
import json, sys
import ml_metadata, ml_metadata.errors
import ml_metadata.metadata_store.metadata_store as module
from ml_metadata import proto
from ml_metadata.metadata_store import mlmd_types
from ml_metadata.proto import metadata_store_pb2
import mlmd_client.compat.ml_metadata as ours
import mlmd_client.compat.ml_metadata.errors
assert ml_metadata is ours and ml_metadata.errors is ours.errors and proto is ours.proto
assert module.__spec__.name == "mlmd_client.compat.ml_metadata.metadata_store.metadata_store"
assert sys.modules["ml_metadata.metadata_store.metadata_store"] is module
store = ml_metadata.MetadataStore(proto.ConnectionConfig(fake_database={}))
try:
    store.get_artifact_type("nothing")
except ml_metadata.errors.NotFoundError as error:
    code = error.error_code
for name in ("ml_metadata.nothing", "ml_metadata_other"):
    try:
        __import__(name)
        raise SystemExit("found " + name)
    except ModuleNotFoundError as error:
        assert error.name == name, error.name
print(json.dumps([__name__, sys.argv, code, mlmd_types.Train().name]))
"""


def test_a_script_runs_as_python_runs_it(tmp_path: Path) -> None:
    (tmp_path / "folder").mkdir()
    (tmp_path / "folder" / "beside.py").write_text("VALUE = 7\n")
    script = tmp_path / "folder" / "script.py"
    script.write_text(PROGRAM + "import beside, os\nassert beside.VALUE == 7\nassert os.path.exists(__file__)\n")
    done = run("folder/script.py", "-m", "--flag", folder=tmp_path)
    assert json.loads(done.stdout) == ["__main__", ["folder/script.py", "-m", "--flag"], 5, "mlmd.Train"]


def test_a_module_runs_as_python_runs_it(tmp_path: Path) -> None:
    package = tmp_path / "package"
    package.mkdir()
    (package / "__main__.py").write_text(PROGRAM)
    said = json.loads(run("-m", "package", "argument", folder=tmp_path).stdout)
    assert said == ["__main__", [str(package / "__main__.py"), "argument"], 5, "mlmd.Train"]


def test_a_command_runs_as_python_runs_it(tmp_path: Path) -> None:
    said = json.loads(run("-c", PROGRAM, "argument", folder=tmp_path).stdout)
    assert said == ["__main__", ["-c", "argument"], 5, "mlmd.Train"]


def test_how_a_program_ends_is_how_it_ends(tmp_path: Path) -> None:
    run("-c", "raise SystemExit(7)", folder=tmp_path, status=7)
    assert "ZeroDivisionError" in run("-c", "1 / 0", folder=tmp_path, status=1).stderr
    assert "nothing.py" in run("nothing.py", folder=tmp_path, status=1).stderr


@pytest.mark.parametrize(("arguments", "status"), [((), 2), (("-m",), 2), (("-c",), 2), (("--help",), 0)])
def test_wrong_use_is_told(arguments: tuple[str, ...], status: int, tmp_path: Path) -> None:
    assert run(*arguments, folder=tmp_path, status=status).stderr.startswith("usage: python -m mlmd_client.compat")


def test_the_rest_of_a_process_by_install(tmp_path: Path) -> None:
    program = (
        "import mlmd_client.compat as c; c.install(); c.install(); import ml_metadata, sys; "
        "print(ml_metadata.__name__, sum(type(f).__module__ == 'mlmd_client.compat.imports' for f in sys.meta_path))"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, cwd=tmp_path)
    assert done.stdout.split() == ["mlmd_client.compat.ml_metadata", "1"], done.stderr


BESIDE = """
import sys
sys.path[:0] = sys.argv[4:]
order, host, port = sys.argv[1:4]
if order == "ours first":
    import mlmd_client.compat.ml_metadata as ours
    import ml_metadata as theirs
else:
    import ml_metadata as theirs
    import mlmd_client.compat.ml_metadata as ours
from ml_metadata.proto import metadata_store_pb2
from mlmd_schemas.pb import metadata_store_pb2 as our_pb2
assert theirs is not ours and theirs.MetadataStore is not ours.MetadataStore
assert metadata_store_pb2.Artifact.DESCRIPTOR is our_pb2.Artifact.DESCRIPTOR
server = theirs.proto.MetadataStoreClientConfig(host=host, port=int(port))
mine, there = ours.MetadataStore(server), theirs.MetadataStore(server)
inside = theirs.MetadataStore(ours.proto.ConnectionConfig(fake_database={}))
for store, kind, name in ((mine, theirs, "a"), (there, ours, "b"), (inside, ours, "c")):
    type_id = store.put_artifact_type(kind.proto.ArtifactType(name=name, properties={"n": metadata_store_pb2.INT}))
    artifact = kind.proto.Artifact(type_id=type_id, properties={"n": our_pb2.Value(int_value=2)})
    (found,) = store.get_artifacts_by_id(store.put_artifacts([artifact]))
    assert isinstance(found, theirs.proto.Artifact) and found.properties["n"].int_value == 2
assert [kind.name for kind in mine.get_artifact_types()] == [kind.name for kind in there.get_artifact_types()]
for store, module in ((mine, ours), (there, theirs), (inside, theirs)):
    try:
        store.get_artifact_type("nothing")
    except module.errors.NotFoundError as error:
        assert error.error_code == 5
from mlmd_client.compat import install
try:
    install()
    raise SystemExit("two libraries under one name")
except RuntimeError as error:
    assert "imported already" in str(error)
print("both")
"""


@pytest.mark.reference
@pytest.mark.parametrize("order", ["ours first", "theirs first"])
def test_both_libraries_live_in_one_process(
    order: str, serve_grpc: Callable[[str], str], sqlite_url: str, tmp_path: Path
) -> None:
    if (sentence := reference.absence()) is not None:
        missing(sentence)
    host, _, port = serve_grpc(sqlite_url).rpartition(":")
    command = [str(reference.PYTHON), "-I", "-c", BESIDE, order, host, port, *SOURCES]
    done = subprocess.run(command, capture_output=True, text=True, cwd=tmp_path, timeout=120)
    assert done.stdout.strip() == "both", done.stderr


EMBEDDED_BESIDE = """
import sys, threading
sys.path[:0] = sys.argv[2:3]
sys.path += sys.argv[3:]
def ours_first():
    import mlmd_client.compat.ml_metadata as ours
    mine = ours.MetadataStore(ours.proto.ConnectionConfig(sqlite={"filename_uri": "ours.db"}))
    mine.get_artifact_types()
    import ml_metadata as theirs
    return ours, mine, theirs
def theirs_first():
    import ml_metadata as theirs
    theirs.MetadataStore(theirs.proto.ConnectionConfig(fake_database={})).get_artifact_types()
    import mlmd_client.compat.ml_metadata as ours
    mine = ours.MetadataStore(ours.proto.ConnectionConfig(sqlite={"filename_uri": "ours.db"}))
    return ours, mine, theirs
ours, mine, theirs = ours_first() if sys.argv[1] == "ours first" else theirs_first()
there = theirs.MetadataStore(theirs.proto.ConnectionConfig(sqlite={"filename_uri": "theirs.db", "connection_mode": 3}))
assert type(mine) is not type(there)

def fill(store, module, count):
    kind = store.put_artifact_type(module.proto.ArtifactType(name="Data", properties={"n": 1}))
    for number in range(count):
        artifact = module.proto.Artifact(type_id=kind, name=f"a{number}")
        artifact.properties["n"].int_value = number
        store.put_artifacts([artifact])
threads = [threading.Thread(target=fill, args=each) for each in ((mine, theirs, 60), (there, ours, 60))]
[thread.start() for thread in threads]
[thread.join() for thread in threads]
assert [a.name for a in mine.get_artifacts()] == [a.name for a in there.get_artifacts()] == [f"a{n}" for n in range(60)]
for store, module in ((mine, ours), (there, theirs)):
    try:
        store.put_artifacts([theirs.proto.Artifact(type_id=99)])
    except module.errors.NotFoundError as error:
        assert error.error_code == 5

# The facts of one library are the other's, when it has closed them.
mine.close()
del there
theirs_on_ours = theirs.MetadataStore(theirs.proto.ConnectionConfig(sqlite={"filename_uri": "ours.db"}))
assert len(theirs_on_ours.get_artifacts()) == 60
fill(theirs_on_ours, ours, 0)
del theirs_on_ours
ours_on_theirs = ours.MetadataStore(ours.proto.ConnectionConfig(sqlite={"filename_uri": "theirs.db"}))
assert [a.properties["n"].int_value for a in ours_on_theirs.get_artifacts()] == list(range(60))
ours_on_theirs.close()

from mlmd_client import Store
with Store("./store") as store:
    with store.run("a/b", capture=False) as run:
        run.metrics(auc=0.5)
        run.log_model("m", {"w": 1})
    assert store["m@1"].load() == {"w": 1}
print("both")
"""


@pytest.mark.reference
@pytest.mark.parametrize("order", ["ours first", "theirs first"])
def test_a_store_in_this_process_lives_beside_googles_extension(order: str, tmp_path: Path, our_wheel: Path) -> None:
    if (sentence := reference.absence()) is not None:
        missing(sentence)
    # What the store needs to be in the process, installed for the same Python and the same protobuf.
    (needed,) = environment_of("4", "3.11").parents[1].glob("lib/python*/site-packages")
    command = [
        str(reference.PYTHON),
        "-I",
        "-X",
        "faulthandler",
        "-c",
        EMBEDDED_BESIDE,
        order,
        str(our_wheel),
        str(needed),
    ]
    done = subprocess.run(command, capture_output=True, text=True, cwd=tmp_path, timeout=240)
    assert (done.returncode, done.stdout.strip()) == (0, "both"), done.stderr
    assert "Fatal" not in done.stderr
