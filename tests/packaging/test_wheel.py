"""What lands in somebody's site-packages, and that a bare install is enough for the client."""

import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from tests.packaging import wheels

PACKAGES = {
    "mlmd_server",
    "mlmd_api",
    "mlmd_model_registry",
    "mlmd_lineage",
    "mlmd_metrics",
    "mlmd_artifact_store",
    "mlmd_metadata_store",
    "mlmd_schemas",
    "mlmd_migrations",
    "mlmd_client",
}
BARE = ("grpc", "google", "typing_extensions", *PACKAGES)
IMPORT_EVERYTHING = """
import importlib, pkgutil, sys
sys.path[:0] = sys.argv[1:]
def modules(package):
    yield package.__name__
    for found in pkgutil.walk_packages(package.__path__, package.__name__ + "."):
        if not found.name.endswith("__main__"):
            yield found.name
"""


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel, built from the working tree."""
    return wheels.build(tmp_path_factory.mktemp("wheel"))


@pytest.fixture(scope="module")
def installed(wheel: Path) -> Path:
    """The wheel's files in a folder of their own."""
    return wheels.unpack(wheel)


def run(program: str, *arguments: str) -> str:
    """Run a program that turns warnings into errors, those of the compiler too, and return what it prints."""
    command = [sys.executable, "-B", "-W", "error", "-c", program, *arguments]
    done = subprocess.run(command, cwd="/", capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def test_the_wheel_holds_our_packages_and_nothing_else(installed: Path) -> None:
    names = {path.name for path in installed.iterdir()}
    (information,) = {name for name in names if name.endswith(".dist-info")}
    assert names - {information} == PACKAGES
    assert information.startswith("mlmd_server-")


def test_each_package_says_that_it_is_typed(installed: Path) -> None:
    assert {path.parent.name for path in installed.glob("*/py.typed")} == PACKAGES


def test_the_protocol_travels_in_the_wheel(installed: Path) -> None:
    proto = installed / "mlmd_schemas" / "proto"
    assert (proto / "ml_metadata" / "proto" / "metadata_store_service.proto").is_file()
    assert (proto / "mlmd" / "v1" / "server.proto").is_file()
    assert (installed / "mlmd_schemas" / "pb" / "metadata_store_pb2.pyi").is_file()


def test_nothing_but_what_git_holds_is_in_the_wheel(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        names = archive.namelist()
    assert [name for name in names if "__pycache__" in name or name.endswith((".pyc", ".db", ".orig"))] == []


def test_every_program_is_declared(installed: Path) -> None:
    (declared,) = installed.glob("*.dist-info/entry_points.txt")
    lines = declared.read_text().splitlines()
    assert any(line.startswith("mlmd-server = ") for line in lines)
    assert any(line.startswith("metadata_store_server = ") for line in lines)
    assert any(line.startswith("mlmd = ") for line in lines)


@pytest.mark.parametrize("package", sorted(PACKAGES))
def test_every_module_is_imported_without_a_warning(installed: Path, package: str) -> None:
    program = f"""{IMPORT_EVERYTHING}
import {package}
for name in modules({package}):
    try:
        importlib.import_module(name)
    except ModuleNotFoundError as error:
        if error.name != "MySQLdb":  # a module for MySQL alone may want its driver
            raise
"""
    run(program, str(installed))


def test_a_bare_install_is_enough_for_the_client(installed: Path) -> None:
    block = f"""
class OnlyBare:
    def find_spec(self, name, path=None, target=None):
        top = name.partition(".")[0]
        if top not in sys.stdlib_module_names and top not in {BARE!r}:
            raise ModuleNotFoundError(f"{{name}} is not in a bare install", name=name)
sys.meta_path.insert(0, OnlyBare())
import mlmd_client, mlmd_schemas.pb, mlmd_metrics
for package in (mlmd_client, mlmd_schemas.pb):
    for name in modules(package):
        if not name.startswith("mlmd_client.command_line."):  # these come with the extra `cli`
            importlib.import_module(name)
print(mlmd_client.__file__)
"""
    assert run(IMPORT_EVERYTHING + block, str(installed)).startswith(str(installed))
