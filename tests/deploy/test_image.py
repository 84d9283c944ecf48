"""The Dockerfile: clean, confined, built from the lock, and given every file that it needs."""

import re
import tomllib

from tests.deploy.parts import ROOT, program, run

DOCKERFILE = ROOT / "Dockerfile"
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
RUNTIME = "\nFROM ${BASE_IMAGE}\n"


def test_hadolint_has_nothing_to_say() -> None:
    """Every rule, from style on."""
    done = run(program("hadolint"), "--failure-threshold", "style", str(DOCKERFILE))
    assert (done.returncode, done.stdout) == (0, "")


def test_the_build_script_is_clean() -> None:
    """shellcheck reads the script that builds without an engine."""
    done = run(program("shellcheck"), "tools/build_image_without_engine.sh")
    assert (done.returncode, done.stdout) == (0, "")


def test_both_stages_come_from_the_one_base() -> None:
    """BASE_IMAGE has a default and nothing else is pulled: the interpreter is the same where it is built and run."""
    text = DOCKERFILE.read_text("utf-8")
    assert re.search(r"^ARG BASE_IMAGE=\S+$", text, re.MULTILINE)
    assert re.findall(r"^FROM (\S+)", text, re.MULTILINE) == ["${BASE_IMAGE}", "${BASE_IMAGE}"]


def test_no_step_depends_on_the_architecture() -> None:
    """amd64 and arm64 from one file."""
    steps = [line for line in DOCKERFILE.read_text("utf-8").splitlines() if not line.lstrip().startswith("#")]
    assert not re.search(r"amd64|arm64|x86_64|aarch64|--platform", "\n".join(steps))


def test_the_last_stage_has_no_compiler_and_no_root() -> None:
    """Only libmariadb's run-time library is installed, and a numeric user is set, as runAsNonRoot demands."""
    runtime = DOCKERFILE.read_text("utf-8").split(RUNTIME)[1]
    assert re.findall(r"apt-get install (.+?) \\", runtime) == ["--yes --no-install-recommends libmariadb3"]
    assert re.findall(r"^USER (\S+)", runtime, re.MULTILINE) == ["1000:1000"]
    assert 'VOLUME ["/data"]' in runtime
    assert "/bin/metadata_store_server" in runtime


def test_the_image_says_of_itself_what_the_project_does() -> None:
    """Its labels have the project's description, license and version."""
    text = DOCKERFILE.read_text("utf-8")
    labels = dict(re.findall(r'org\.opencontainers\.image\.(\w+)="([^"]*)"', text))
    assert labels["description"] == PROJECT["description"]
    assert labels["licenses"] == PROJECT["license"]
    assert labels["version"] == "${VERSION}"
    assert re.findall(r"^ARG VERSION=(\S+)", text, re.MULTILINE) == [PROJECT["version"]]


def test_every_file_names_the_image_of_this_version() -> None:
    """compose, the manifests and the documents lead to one image."""
    folders = (ROOT / "deploy", ROOT / "docs")
    files = [ROOT / "compose.yaml", *(path for folder in folders for path in folder.rglob("*") if path.is_file())]
    named = {tag: path for path in files for tag in re.findall(r"\bmlmd-server:(\d[\w.]*\w)", path.read_text("utf-8"))}
    assert named.keys() == {PROJECT["version"]}, named


def test_entry_points_are_those_of_the_project() -> None:
    """The programs that the image starts are scripts of the wheel."""
    assert {"mlmd-server", "metadata_store_server"} <= set(PROJECT["scripts"])
    text = DOCKERFILE.read_text("utf-8")
    assert 'ENTRYPOINT ["mlmd-server"]' in text
    assert "/opt/mlmd/bin/metadata_store_server" in text


def test_the_builder_gets_every_file_that_the_wheel_is_made_of() -> None:
    """.dockerignore lets through what pyproject.toml packs and what the Dockerfile names, and no more folders."""
    allowed = {
        line.removeprefix("!").rstrip("/")
        for line in (ROOT / ".dockerignore").read_text("utf-8").splitlines()
        if line.startswith("!")
    }
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))
    packages = {path.split("/")[0] for path in project["tool"]["hatch"]["build"]["targets"]["wheel"]["packages"]}
    files = {"pyproject.toml", "uv.lock", project["project"]["readme"], *project["project"]["license-files"]}
    assert allowed == packages | files | {"deploy/image"}
    assert all((ROOT / path).exists() for path in allowed)


def test_every_build_requirement_has_hashes() -> None:
    """pip is told --require-hashes, and the locked file has one for each requirement that was asked for."""
    folder = ROOT / "deploy" / "image"
    asked = {line for line in (folder / "build-requirements.in").read_text("utf-8").splitlines() if line[0] != "#"}
    locked = (folder / "build-requirements.txt").read_text("utf-8")
    blocks = re.findall(r"^([\w-]+)==\S+ \\\n((?: +--hash=sha256:[0-9a-f]{64}(?: \\)?\n)+)", locked, re.MULTILINE)
    assert asked <= {name for name, _ in blocks}
    assert len(blocks) == len(re.findall("==", locked))
    assert DOCKERFILE.read_text("utf-8").count("--require-hashes") == 2
