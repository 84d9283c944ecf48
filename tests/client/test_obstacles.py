"""A download takes nothing away: other files are left and told, those of another version give way."""

import os
import threading
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pytest
from mlmd_client import obstacles
from mlmd_client.download import download
from mlmd_client.progress import Progress
from mlmd_client.transfer_errors import UnfitFiles
from mlmd_client.transport import Transport, open_transport
from mlmd_client.upload import upload
from mlmd_schemas.pb import metadata_store_pb2 as pb
from mlmd_schemas.pb import metadata_store_service_pb2 as mlmd
from mlmd_schemas.pb.v1 import artifacts_pb2 as v1
from mlmd_schemas.pb.v1 import registry_pb2

from tests.client.conftest import server_at
from tests.client.places import SERVICE, artifact, kept_elsewhere, read_files, write_files
from tests.conftest import StartServer

LARGE = b"l" * (17 << 20)
FIRST = {"a.bin": b"one", "deep/b.bin": b"first", "large": LARGE, "same": b"same"}
SECOND = {"a.bin": b"two", "deep/b.bin": b"second", "large": LARGE[:-1] + b"m", "same": b"same", "new": b"new"}


def kept(store: Transport, folder: Path, contents: dict[str, bytes], name: str = "fraud") -> int:
    """Keep files as the next version of a name."""
    return upload(store, artifact(store), write_files(folder, contents), collection=name).artifact_id


def listings(store: Transport, monkeypatch: pytest.MonkeyPatch) -> list[v1.ListFilesRequest]:
    """Return the list that this store's requests for an artifact's files go to from now on."""
    asked: list[v1.ListFilesRequest] = []
    unary = store.unary

    def noted(path: str, request: Any, *given: Any, **named: Any) -> Any:
        if isinstance(request, v1.ListFilesRequest):
            copy = v1.ListFilesRequest()
            copy.CopyFrom(request)
            asked.append(copy)
        return unary(path, request, *given, **named)

    monkeypatch.setattr(store, "unary", noted)
    return asked


def put_into(store: Transport, context_id: int, artifact_ids: Iterable[int]) -> None:
    """Associate artifacts with a context."""
    request = mlmd.PutAttributionsAndAssociationsRequest()
    for artifact_id in artifact_ids:
        request.attributions.add(artifact_id=artifact_id, context_id=context_id)
    path = f"{SERVICE}/PutAttributionsAndAssociations"
    store.unary(path, request, mlmd.PutAttributionsAndAssociationsResponse)


def name_of(store: Transport, artifact_id: int) -> int:
    """Return the context of the one name that an artifact is a version of."""
    request = mlmd.GetContextsByArtifactRequest(artifact_id=artifact_id)
    path = f"{SERVICE}/GetContextsByArtifact"
    return int(store.unary(path, request, mlmd.GetContextsByArtifactResponse).contexts[0].id)


def test_other_files_are_left_and_nothing_is_fetched(store: Transport, tmp_path: Path) -> None:
    first = kept(store, tmp_path / "first", FIRST)
    mine = {"a.bin": b"mine", "deep/b.bin": b"mine too", "large": LARGE[::-1][:-1] + b"x", "notes": b"stay"}
    target = write_files(tmp_path / "target", mine)
    told = r"'.*/target' has another 'a.bin', 'deep/b.bin', 'large', .* they would be lost; .* overwrite=True"
    with pytest.raises(UnfitFiles, match=told):
        download(store, first, target)
    assert read_files(target) == mine
    download(store, first, target, prefix="same")
    assert read_files(target) == {**mine, "same": b"same"}
    download(store, first, target, overwrite=True)
    assert read_files(target) == {**FIRST, "notes": b"stay"}


def test_many_other_files_are_counted(folder_store: Transport, tmp_path: Path) -> None:
    contents = {f"{number:02}": b"theirs" for number in range(40)}
    first = kept(folder_store, tmp_path / "first", contents)
    target = write_files(tmp_path / "target", dict.fromkeys(contents, b"mine"))
    with pytest.raises(UnfitFiles, match="another '00', '01', '02' and 37 more files, whose"):
        download(folder_store, first, target)


def test_each_new_version_goes_into_the_same_folder_and_each_old_one(store: Transport, tmp_path: Path) -> None:
    target = tmp_path / "target"
    first, second = kept(store, tmp_path / "first", FIRST), kept(store, tmp_path / "second", SECOND)
    assert download(store, first, target).files_reused == 0
    assert download(store, first, target).files_reused == len(FIRST)
    download(store, second, target)
    assert read_files(target) == SECOND
    download(store, first, target)
    assert read_files(target) == {**SECOND, **FIRST}, "what the first never had stays"
    (target / "deep" / "b.bin").write_bytes(b"edited")
    with pytest.raises(
        UnfitFiles,
        match=r"another 'deep/b.bin', whose bytes no version of this name has, and it would",
    ):
        download(store, second, target)
    assert (target / "a.bin").read_bytes() == b"one"


def test_so_do_folders_of_many_files(folder_store: Transport, tmp_path: Path) -> None:
    first = kept(folder_store, tmp_path / "first", {f"{number:02}": b"1" for number in range(30)})
    second = kept(folder_store, tmp_path / "second", {f"{number:02}": b"2" for number in range(30)})
    for one in (first, second, first):
        download(folder_store, one, tmp_path / "target")
    assert set(read_files(tmp_path / "target").values()) == {b"1"}


@pytest.mark.parametrize("count", [4, 5])
def test_a_few_files_are_asked_for_one_by_one_and_more_are_listed(
    folder_store: Transport, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, count: int
) -> None:
    """A version may have a million files beside them."""
    paths = [f"in/{number}" for number in range(count)]
    first = kept(folder_store, tmp_path / "first", {**dict.fromkeys(paths, b"1"), "in/0.more": b"1", "old": b"1"})
    neither = kept(folder_store, tmp_path / "neither", {"in/0.more": b"2"})
    second = kept(folder_store, tmp_path / "second", dict.fromkeys(paths, b"2"))
    asked = listings(folder_store, monkeypatch)
    download(folder_store, first, tmp_path / "target")
    assert asked == [], "nothing is there yet"
    download(folder_store, second, tmp_path / "target", prefix="in/")
    assert read_files(tmp_path / "target") == {**dict.fromkeys(paths, b"2"), "in/0.more": b"1", "old": b"1"}
    how = [(path, 1) for path in paths] if count == 4 else [("in/", 0)]
    for other in (neither, first):
        assert [(one.prefix, one.page_size) for one in asked if one.artifact_id == other] == how


def test_versions_are_asked_until_one_has_each_file(
    folder_store: Transport, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The newer of them does not have the file at all."""
    never = kept(folder_store, tmp_path / "never", {"m": b"never"})
    first = kept(folder_store, tmp_path / "first", {"m": b"1"})
    without = kept(folder_store, tmp_path / "without", {"n": b"1"})
    last = kept(folder_store, tmp_path / "last", {"m": b"2", "link": b"2"})
    target = tmp_path / "target"
    download(folder_store, first, target)
    asked = listings(folder_store, monkeypatch)
    download(folder_store, last, target, prefix="m")
    assert [one.artifact_id for one in asked] == [last, without, first]
    download(folder_store, first, target)
    (target / "link").symlink_to(target / "m")
    with pytest.raises(UnfitFiles, match="another 'link', and it would"):
        download(folder_store, last, target)
    assert never not in {one.artifact_id for one in asked}


def test_a_link_to_what_another_version_has_is_left(
    folder_store: Transport, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    kept(folder_store, tmp_path / "first", {"m": b"1"})
    second = kept(folder_store, tmp_path / "second", {"m": b"2"})
    target = write_files(tmp_path / "target", {"real": b"1"})
    (target / "m").symlink_to(target / "real")
    asked = listings(folder_store, monkeypatch)
    with pytest.raises(UnfitFiles, match="another 'm', and it would"):
        download(folder_store, second, target)
    assert (target / "m").is_symlink()
    assert [one.artifact_id for one in asked] == [second], "no version has a link"


def test_versions_without_files_have_nothing_to_say(folder_store: Transport, tmp_path: Path) -> None:
    """There are more of them than one answer has, all newer than the one that has the file."""
    first = kept(folder_store, tmp_path / "first", {"m": b"1"})
    empty = [artifact(folder_store)] * 110
    made = folder_store.unary(
        f"{SERVICE}/PutArtifacts", mlmd.PutArtifactsRequest(artifacts=empty), mlmd.PutArtifactsResponse
    )
    put_into(folder_store, name_of(folder_store, first), made.artifact_ids)
    second = kept(folder_store, tmp_path / "second", {"m": b"2"})
    for one in (first, second):
        download(folder_store, one, tmp_path / "target")
    assert read_files(tmp_path / "target") == {"m": b"2"}


def test_a_pipeline_run_is_no_name(folder_store: Transport, tmp_path: Path) -> None:
    first = kept(folder_store, tmp_path / "first", {"m": b"1"}, "one")
    second = kept(folder_store, tmp_path / "second", {"m": b"2"}, "two")
    made = mlmd.PutContextTypeRequest(context_type=pb.ContextType(name="system.PipelineRun"))
    type_id = folder_store.unary(f"{SERVICE}/PutContextType", made, mlmd.PutContextTypeResponse).type_id
    run = mlmd.PutContextsRequest(contexts=[pb.Context(type_id=type_id, name="run")])
    run_id = folder_store.unary(f"{SERVICE}/PutContexts", run, mlmd.PutContextsResponse).context_ids[0]
    put_into(folder_store, run_id, [first, second])
    download(folder_store, first, tmp_path / "target")
    with pytest.raises(UnfitFiles, match="another 'm', whose bytes no version of this name has"):
        download(folder_store, second, tmp_path / "target")


def test_a_target_that_cannot_be_looked_at_is_told(folder_store: Transport, tmp_path: Path) -> None:
    first = kept(folder_store, tmp_path / "first", {"m": b"1"})
    with pytest.raises(UnfitFiles, match=r"target: '.*' cannot be written \(File name too long\)"):
        download(folder_store, first, tmp_path / ("n" * 300))


def test_files_of_another_name_are_other_files(folder_store: Transport, tmp_path: Path) -> None:
    train = kept(folder_store, tmp_path / "train", {"data.csv": b"train"}, "train")
    test = kept(folder_store, tmp_path / "test", {"data.csv": b"test"}, "test")
    download(folder_store, train, tmp_path / "target")
    with pytest.raises(UnfitFiles, match=r"another 'data.csv'"):
        download(folder_store, test, tmp_path / "target")
    assert read_files(tmp_path / "target") == {"data.csv": b"train"}


def test_versions_of_a_registered_model_are_versions_of_a_name(store: Transport, tmp_path: Path) -> None:
    made = [upload(store, artifact(store), write_files(tmp_path / text, {"m": text.encode()})) for text in ("1", "2")]
    call = "/mlmd.v1.ModelRegistry/Create"
    request = registry_pb2.CreateModelRequest(name="fraud")
    store.unary(f"{call}Model", request, registry_pb2.CreateModelResponse)
    for one in made:
        version = registry_pb2.CreateModelVersionRequest(model="fraud", artifact_id=one.artifact_id)
        store.unary(f"{call}ModelVersion", version, registry_pb2.CreateModelVersionResponse)
    for one in (made[0], made[1], made[0]):
        download(store, one.artifact_id, tmp_path / "target")
    assert read_files(tmp_path / "target") == {"m": b"1"}
    archived = registry_pb2.ArchiveModelVersionRequest(model="fraud", version="1")
    store.unary("/mlmd.v1.ModelRegistry/ArchiveModelVersion", archived, registry_pb2.ArchiveModelVersionResponse)
    download(store, made[1].artifact_id, tmp_path / "target")
    assert read_files(tmp_path / "target") == {"m": b"2"}, "an archived version gives its files back"


def test_of_very_many_versions_the_newest_are_asked(
    folder_store: Transport, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(obstacles, "MOST_VERSIONS", 3)
    made = [kept(folder_store, tmp_path / text, {"m": text.encode()}) for text in "0123456"]
    download(folder_store, made[4], tmp_path / "target")
    asked: list[str] = []
    unary = folder_store.unary

    def counted(path: str, *given: Any, **named: Any) -> Any:
        asked.append(path)
        return unary(path, *given, **named)

    monkeypatch.setattr(folder_store, "unary", counted)
    download(folder_store, made[6], tmp_path / "target")
    assert read_files(tmp_path / "target") == {"m": b"6"}
    (tmp_path / "target" / "m").write_bytes(b"0")
    asked.clear()
    with pytest.raises(
        UnfitFiles, match="another 'm', whose bytes none of the newest 3 versions of this name has, and"
    ):
        download(folder_store, made[6], tmp_path / "target")
    assert sum(path.endswith("/ListFiles") for path in asked) == 1 + 3
    monkeypatch.setattr(obstacles, "MOST_VERSIONS", 6)
    (tmp_path / "target" / "m").write_bytes(b"mine")
    with pytest.raises(UnfitFiles, match="another 'm', whose bytes no version of this name has, and"):
        download(folder_store, made[6], tmp_path / "target")


def test_a_version_of_two_names_is_asked_once(
    folder_store: Transport, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = [kept(folder_store, tmp_path / text, {"m": text.encode()}) for text in "0123"]
    call = "/mlmd.v1.ModelRegistry/Create"
    folder_store.unary(f"{call}Model", registry_pb2.CreateModelRequest(name="fraud"), registry_pb2.CreateModelResponse)
    for one in made[1:]:
        version = registry_pb2.CreateModelVersionRequest(model="fraud", artifact_id=one)
        folder_store.unary(f"{call}ModelVersion", version, registry_pb2.CreateModelVersionResponse)
    listed: list[int] = []
    unary = folder_store.unary

    def counted(path: str, request: Any, *given: Any, **named: Any) -> Any:
        if path.endswith("/ListFiles"):
            listed.append(request.artifact_id)
        return unary(path, request, *given, **named)

    monkeypatch.setattr(folder_store, "unary", counted)
    write_files(tmp_path / "target", {"m": b"mine"})
    with pytest.raises(UnfitFiles, match="another 'm', whose bytes no version of this name has"):
        download(folder_store, made[3], tmp_path / "target")
    assert sorted(listed) == made


@pytest.mark.parametrize("path", ["a.bin", "large"])
def test_a_file_that_comes_meanwhile_is_left_too(store: Transport, tmp_path: Path, path: str) -> None:
    first, target = kept(store, tmp_path / "first", FIRST), tmp_path / "target"
    came = threading.Event()

    def come(progress: Progress) -> None:
        if not came.is_set():
            came.set()
            (target / path).write_bytes(b"mine")

    with pytest.raises(UnfitFiles, match=f"another {path!r}"):
        download(store, first, target, prefix=path, progress=come)
    assert read_files(target) == {path: b"mine"}
    (target / path).write_bytes(FIRST[path])
    assert download(store, first, target, prefix=path).files_reused == 1


def test_a_folder_is_never_replaced(store: Transport, tmp_path: Path) -> None:
    first = kept(store, tmp_path / "first", FIRST)
    for number, overwrite in enumerate((False, True)):
        target = write_files(tmp_path / str(number), {"a.bin/mine": b"mine"})
        with pytest.raises(UnfitFiles, match=r"a\.bin' is a folder where a file has to be"):
            download(store, first, target, overwrite=overwrite, prefix="a.bin")
        assert read_files(target) == {"a.bin/mine": b"mine"}


def test_bytes_without_a_digest_are_compared_when_they_are_here(
    start_server: StartServer, sqlite_url: str, request: pytest.FixtureRequest, tmp_path: Path
) -> None:
    elsewhere = write_files(tmp_path / "elsewhere", {"part-0": b"theirs", "part-1": b"other"})
    options = ("--artifacts-external-roots", tmp_path.as_uri())
    server = server_at("http-folder", sqlite_url, request, start_server, options)
    store = open_transport(server.target)
    external = kept_elsewhere(store, f"file://{elsewhere}")
    target = tmp_path / "target"
    for _ in range(2):
        download(store, external, target)
    before = os.stat(target / "part-0").st_ino
    (target / "part-1").write_bytes(b"mine!")
    with pytest.raises(UnfitFiles, match="another 'part-1'"):
        download(store, external, target)
    assert read_files(target) == {"part-0": b"theirs", "part-1": b"mine!"}
    assert os.stat(target / "part-0").st_ino == before
    download(store, external, target, overwrite=True)
    assert read_files(target) == read_files(elsewhere)
    newest = kept(store, tmp_path / "newest", {"part-0": b"newest", "part-1": b"mine"})
    put_into(store, name_of(store, newest), [external])
    (target / "part-0").unlink()
    (target / "part-0").symlink_to(elsewhere / "part-0")
    with pytest.raises(UnfitFiles, match="another 'part-0', 'part-1', whose"):
        download(store, newest, target)
    assert (target / "part-0").is_symlink()
    store.close()
