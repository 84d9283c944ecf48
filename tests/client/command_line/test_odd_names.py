"""Names with signs of addresses in them: what `ref` and `put` write is understood by all that takes a name."""

from collections.abc import Iterator
from pathlib import Path
from urllib.parse import quote

import httpx
import pytest
from mlmd_client.failures import Refused
from mlmd_client.store import Store
from mlmd_schemas.pb import metadata_store_pb2 as pb

from tests.client.command_line.conftest import run_on
from tests.services.server import Server

NAMES = (
    *("plain", "sales/2024", "a@1", "a@champion", "models:/x", "model:/x", "system.Model/y", "Own/y", "artifact"),
    *("artifact:7", "execution/7", "42", "v1", "100%", "a%2Fb", "a b", "🎉 ü", "x:latest", "x:3", "exp/step/7", "@"),
    *("a@", "mlmd.Run/x/1"),
)
TYPES = ("system.Dataset", "system.Model", "Own")


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    folder = tmp_path_factory.mktemp("odd")
    with Server(f"sqlite:///{folder / 'metadata.db'}", folder / "server", http=True) as server:
        yield server


@pytest.fixture(scope="module", params=["alone", "shared"])
def kept(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[str, dict[str, int]]]:
    """A store with the names, each of one type or of several, and the ids of all versions by what `ref` wrote."""
    folder = tmp_path_factory.mktemp("kept")
    (folder / "data.csv").write_text("x\n1\n")
    if request.param == "alone":
        yield str(folder / "store"), _keep(str(folder / "store"), folder / "data.csv", several=False)
        return
    with Server(f"sqlite:///{folder / 'metadata.db'}", folder / "server", http=True) as server:
        target = f"grpc://{server.target}"
        yield target, _keep(target, folder / "data.csv", several=True)


def _keep(target: str, file: Path, *, several: bool) -> dict[str, int]:
    refs: dict[str, int] = {}
    with Store(target) as store:
        made = []
        with store.run("odd/names", capture=False) as run:
            for place, name in enumerate(NAMES):
                for kind in TYPES if several else (TYPES[place % 3],):
                    made.append(run.log_artifact(name, file, type=kind))
        for version in made:
            assert version.ref not in refs
            refs[version.ref] = version.id
    return refs


def test_what_ref_writes_is_read_back_by_the_sdk(kept: tuple[str, dict[str, int]]) -> None:
    target, refs = kept
    assert len(refs) >= len(NAMES)
    with Store(target) as store:
        assert {ref: store[ref].id for ref in refs} == refs
        assert {ref: store[ref].ref for ref in refs} == {ref: ref for ref in refs}
        for ref in refs:
            assert store.versions(f"{ref.rpartition('@')[0]}@latest").column("ref") == [ref]


def test_what_ref_writes_is_read_back_by_the_command_line(kept: tuple[str, dict[str, int]], tmp_path: Path) -> None:
    target, refs = kept
    run = run_on(target)
    for ref, artifact_id in refs.items():
        shown = run("show", ref, "--json").json
        assert (shown["id"], shown["ref"]) == (artifact_id, ref)
    for ref in list(refs)[-3:]:
        assert run("get", ref, str(tmp_path / "got"), "--json").json["artifact"] == refs[ref]


def test_a_name_of_one_type_is_written_without_it(kept: tuple[str, dict[str, int]]) -> None:
    _, refs = kept
    if "plain@1" not in refs:
        assert {"system.Dataset/plain@1", "system.Model/plain@1", "Own/plain@1"} <= set(refs)


def test_an_artifact_without_a_name_is_named_by_its_id(tmp_path: Path) -> None:
    (tmp_path / "data.csv").write_text("x\n")
    with Store(tmp_path / "store") as store:
        anonymous = store.keep(pb.Artifact(type="system.Artifact"), "", tmp_path / "data.csv", reuse=False)
        assert anonymous.ref == f"artifact:{anonymous.id}"
        assert store[anonymous.ref].id == anonymous.id
        with pytest.raises(Refused, match="no artifact, and only artifacts are versions"):
            store.version("execution:1")
        with pytest.raises(Refused, match="is beyond every id"):
            store.version(f"artifact:{10**30}")


def test_put_wants_a_name_and_tells_what_it_did_not_keep(tmp_path: Path) -> None:
    (tmp_path / "data.csv").write_text("x\n")
    run = run_on(str(tmp_path / "store"))
    told = run("put", str(tmp_path / "data.csv"), "")
    assert (told.status, told.err) == (6, "mlmd: NAME: '' names nothing; say what it is to be a version of.\n")
    assert run("put", str(tmp_path / "data.csv"), "d", "-p", "split=train").err == ""
    again = run("put", str(tmp_path / "data.csv"), "d", "-p", "split=test", "-p", "more=1")
    assert again.err == "d@1 was there with the same content, and has no more; --no-reuse keeps another one\n"


def test_text_that_is_no_utf8_is_refused(tmp_path: Path) -> None:
    run = run_on(str(tmp_path / "store"))
    (tmp_path / "data.csv").write_text("x\n")
    assert run("put", str(tmp_path / "data.csv"), "d").status == 0
    for words in (("show", "\udcff"), ("models", "ls", "\udcff"), ("put", str(tmp_path / "data.csv"), "a\udcff")):
        told = run(*words)
        assert (told.status, told.out) == (6, "")
        assert "UTF-8" in told.err


MODELS = ("a/b", "a%2Fb", "100%", "a b", "🎉", "42", "v1", "x@y", "a:3", "?&#=+", "..", ".")


@pytest.mark.parametrize("name", MODELS)
def test_a_registered_model_of_any_name_is_found_at_every_door(server: Server, name: str) -> None:
    uri = f"models:/{quote(name, safe='')}@champion"
    with Store(f"grpc://{server.target}") as store:
        model = store.models[name]
        first, second = (model.register(f"s3://bucket/{quote(name)}/{place}") for place in (1, 2))
        model[1].promote("champion")
        assert store.models.resolve(uri).uri == store[uri].uri
        assert store[uri].id == first.message.artifact_id
        assert store[f"models:/{quote(name, safe='')}/2"].id == second.message.artifact_id
    run = run_on(f"grpc://{server.target}")
    assert run("models", "resolve", uri, "--json").json["model"] == name
    assert run("models", "resolve", f"{quote(name, safe='')}@champion", "--json").json["number"] == 1
    assert [row["number"] for row in run("models", "ls", name, "--json").json] == [2, 1]
    assert run("show", uri, "--json").json["id"] == first.message.artifact_id
    assert run("models", "promote", name, "champion", "2", "--json").json["to"] == 2
    address = server.http_url
    told = httpx.get(f"{address}/registry/resolve", params={"uri": uri}).json()
    assert (told["model"], told["number"]) == (name, "2")
    asked = "model(model: $name) { model { name } } resolveModel(uri: $uri) { number }"
    query = f"query($name: String!, $uri: String!) {{ {asked} }}"
    answer = httpx.post(f"{address}/graphql", json={"query": query, "variables": {"name": name, "uri": uri}}).json()
    assert answer["data"] == {"model": {"model": {"name": name}}, "resolveModel": {"number": "2"}}
    shown = httpx.get(f"{address}/api/model_registry/v1alpha3/registered_model", params={"name": name}).json()
    assert shown["name"] == name
