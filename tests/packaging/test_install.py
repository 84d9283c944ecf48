"""One wheel for any Python and any CPU, and what it is to install it with grpcio and protobuf alone."""

import importlib.metadata
import re
import shutil
import subprocess
import sys
import tarfile
import zipfile
from email.parser import Parser
from pathlib import Path

import pytest

from tests.packaging import wheels

COMPILED = (".so", ".pyd", ".dylib", ".dll", ".a", ".o", ".c", ".cc", ".cpp", ".pyx", ".h")
BARE = ("grpcio", "protobuf", "typing_extensions")
"""What `pip install mlmd-server` brings: the two that it names, and what grpcio itself needs."""
FIRST_LINES = """
from mlmd_client import Store
import importlib.metadata, sys
print(Store.__module__, sorted(one.name for one in importlib.metadata.distributions()))
try:
    Store("./data")
except Exception as error:
    print(type(error).__name__, error)
store = Store("grpc://127.0.0.1:1")
store.close()
"""


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel, built from the working tree."""
    return wheels.build(tmp_path_factory.mktemp("wheel"))


def names_of(wheel: Path) -> list[str]:
    """Return the names of a wheel's files."""
    with zipfile.ZipFile(wheel) as archive:
        return sorted(archive.namelist())


def told_by(wheel: Path, file: str) -> list[tuple[str, str]]:
    """Return the headers of a file of the wheel's own."""
    with zipfile.ZipFile(wheel) as archive:
        (name,) = [name for name in archive.namelist() if name.endswith(f".dist-info/{file}")]
        return list(Parser().parsestr(archive.read(name).decode()).items())


def test_the_wheel_is_for_any_python_and_any_cpu(wheel: Path) -> None:
    assert wheel.name.endswith("-py3-none-any.whl")
    told = told_by(wheel, "WHEEL")
    assert ("Root-Is-Purelib", "true") in told
    assert [value for name, value in told if name == "Tag"] == ["py3-none-any"]


def test_nothing_in_it_is_compiled_or_is_to_be(wheel: Path) -> None:
    names = names_of(wheel)
    assert [name for name in names if name.endswith(COMPILED)] == []
    with zipfile.ZipFile(wheel) as archive:
        assert [name for name in names if archive.read(name)[:4] in (b"\x7fELF", b"MZ\x90\x00")] == []
    assert "mlmd_client/py.typed" in names


def test_it_asks_for_grpcio_and_protobuf_alone(wheel: Path) -> None:
    needed = [
        value for name, value in told_by(wheel, "METADATA") if name == "Requires-Dist" and "extra ==" not in value
    ]
    assert sorted(re.split("[<>=!~ ]", value)[0] for value in needed) == ["grpcio", "protobuf"]


def test_a_wheel_made_of_the_source_archive_is_the_same(wheel: Path, tmp_path: Path) -> None:
    command = [sys.executable, "-m", "hatchling", "build", "-t", "sdist", "-d", str(tmp_path)]
    subprocess.run(command, cwd=wheels.ROOT, check=True, capture_output=True)
    (archive,) = tmp_path.glob("*.tar.gz")
    with tarfile.open(archive) as files:
        files.extractall(tmp_path / "source", filter="data")
    (source,) = (tmp_path / "source").iterdir()
    command = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(tmp_path / "again")]
    subprocess.run(command, cwd=source, check=True, capture_output=True)
    (again,) = (tmp_path / "again").glob("*.whl")
    assert (again.name, names_of(again)) == (wheel.name, names_of(wheel))


def copy_installed(name: str, packages: Path) -> None:
    """Copy a distribution of this environment into another's packages, as its own list of files has it."""
    for file in importlib.metadata.distribution(name).files or ():
        source = Path(str(file.locate()))
        if ".." not in file.parts and source.exists():
            (packages / file).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(source, packages / file)


def test_installed_with_two_packages_the_store_is_there(wheel: Path, tmp_path: Path) -> None:
    """Nothing is asked of the network: the two come from this environment, the wheel through pip."""
    fresh = tmp_path / "fresh"
    subprocess.run([sys.executable, "-m", "venv", str(fresh)], check=True)
    python = fresh / "bin" / "python"
    (packages,) = (fresh / "lib").glob("python*/site-packages")
    for name in BARE:
        copy_installed(name, packages)
    pip = [str(python), "-m", "pip", "--disable-pip-version-check"]
    subprocess.run([*pip, "install", "--quiet", "--no-index", str(wheel)], check=True)
    assert "No broken requirements" in subprocess.run([*pip, "check"], capture_output=True, text=True).stdout
    subprocess.run([*pip, "uninstall", "--quiet", "--yes", "setuptools", "pip"], check=True)
    done = subprocess.run(
        [python, "-W", "error", "-I", "-c", FIRST_LINES], capture_output=True, text=True, cwd=tmp_path, check=True
    )
    first, second = done.stdout.splitlines()
    assert first == f"mlmd_client.store {sorted((*BARE, 'mlmd-server'))}"
    assert second.startswith("MissingExtra ")
    assert "pip install 'mlmd-server[server]'" in second
    told = subprocess.run([fresh / "bin" / "mlmd", "ls"], capture_output=True, text=True, check=False)
    assert (told.returncode, told.stderr) == (2, "mlmd: click is not installed; run: pip install 'mlmd-server[cli]'\n")
