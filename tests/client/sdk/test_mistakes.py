"""What people give by mistake, or as other libraries take it: refused with its name, or understood."""

import pickle
from collections.abc import Callable
from pathlib import Path

import pytest
from mlmd_client import NotFound, Refused, Store


def test_wrong_types_are_refused_with_the_name_of_the_argument(local_store: Store) -> None:
    with pytest.raises(Refused, match=r"params: is of type str; give a dictionary"):
        local_store.run("churn/train", params="lr=1")
    with local_store.run("churn/train") as run:
        with pytest.raises(Refused, match=r"name: None names nothing"):
            run.use(None)  # type: ignore[arg-type]
        with pytest.raises(Refused, match=r"name: is of type dict and no text; the name comes first"):
            run.log_dataset({"x": [1]}, "churn")  # type: ignore[arg-type]
        for values in ([0.5, 0.6], 0.5, "auc"):
            with pytest.raises(Refused, match=rf"values: is of type {type(values).__name__}; give names with numbers"):
                run.metrics(values)  # type: ignore[arg-type]
        kept = run.log_artifact("note", "all went well")
        file = kept.open()
        assert file.read() == b"all went well"
        file.close()
    with pytest.raises(Refused, match=r"where: is of type dict; write a filter"):
        local_store.find("runs", {"auc": 1})  # type: ignore[arg-type]
    with pytest.raises(Refused, match=r"target: 8080 is no text and no path; write grpc://host:port"):
        Store(8080)  # type: ignore[arg-type]
    with pytest.raises(Refused, match=r"token: has a character that no header carries"):
        Store("grpc://127.0.0.1:1", token="se\ncret")
    with pytest.raises(Refused, match=r"order: '-' names nothing"):
        local_store.find("runs", order="-")
    with pytest.raises(Refused, match=r"order: 5 is no text"):
        local_store.find("runs", order=5)  # type: ignore[arg-type]
    for limit in ("x", 1.5, None):
        for ask in (local_store.find, local_store.runs):
            with pytest.raises(Refused, match=rf"limit: {limit!r} is no whole number; 0 means all of them"):
                ask("runs", limit=limit)  # type: ignore[arg-type]
    with pytest.raises(Refused, match=r"limit: -1 is below 0"):
        local_store.runs("churn", limit=-1)
    with pytest.raises(Refused, match=r"name: 5 is no text"):
        local_store.runs(5)  # type: ignore[arg-type]
    with pytest.raises(Refused, match=r"state: 5 is none of RUNNING"):
        local_store.runs("churn", state=5)  # type: ignore[arg-type]
    with pytest.raises(Refused, match=r"token: is of type int and no text; give it as it was given to you"):
        Store("grpc://127.0.0.1:1", token=5)  # type: ignore[arg-type]
    with pytest.raises(Refused, match=r"name: True names nothing; write name@alias"):
        local_store[True]
    with pytest.raises(Refused, match=r"version: None is no version; say its number"):
        local_store.models["churn"][None]  # type: ignore[index]


def test_a_step_is_told_from_its_runs(local_store: Store) -> None:
    for _ in range(2):
        with local_store.run("churn/train") as run:
            kept = run.log_artifact("note", "all went well")
    for name, noun in (("churn/train", "a step"), ("churn", "an experiment")):
        said = rf"{name}' is {noun}, and its newest run is 'churn/train/2'\.$"
        asking: tuple[Callable[[str], object], ...] = (
            local_store.run_facts,
            local_store.provenance,
            local_store.version,
            lambda name: local_store.compare(name, kept),
        )
        for ask in asking:
            with pytest.raises(NotFound, match=said):
                ask(name)
    with pytest.raises(NotFound, match=r"no run 'other/train'; store\.runs\('experiment'\) lists"):
        local_store.run_facts("other/train")
    assert local_store.run_facts("churn/train/2").id == run.id


def test_in_asks_for_a_version_and_nothing_goes_through_them(local_store: Store) -> None:
    with local_store.run("churn/train") as run:
        kept = run.log_artifact("note", "all went well")
    assert "note" in local_store
    assert "note@1" in local_store
    assert kept.id in local_store
    assert "churn" not in local_store
    assert "note@2" not in local_store
    with pytest.raises(Refused, match="names nothing"):
        assert "" in local_store
    with pytest.raises(TypeError, match="not iterable"):
        list(local_store)  # type: ignore[call-overload]


def test_what_is_of_its_process_says_so_when_it_is_pickled(local_store: Store) -> None:
    with local_store.run("churn/train") as run:
        kept = run.log_artifact("note", "all went well")
        for what in (local_store, run, kept, local_store.models["churn"]):
            with pytest.raises(TypeError, match=r"cannot be pickled, .* have it open Store\(address\) anew"):
                pickle.dumps(what)
    with pytest.raises(TypeError, match=r"cannot be pickled, .* have it open Store\(address\) anew"):
        pickle.dumps(local_store.provenance("note"))


@pytest.mark.parametrize("number", [0, -1, 1 << 63, -(1 << 64), 1 << 80])
def test_a_number_that_no_id_has_is_not_found(local_store: Store, number: int) -> None:
    with pytest.raises(NotFound, match=f"there is no artifact {number}; "):
        local_store[number]
    with pytest.raises(NotFound, match=f"there is no run {number}; "):
        local_store.run_facts(number)


def test_a_folder_may_be_a_path(tmp_path: Path) -> None:
    with Store(tmp_path / "kept") as store, store.run("churn/train") as run:
        run.metrics(auc=0.9)
    with Store(str(tmp_path / "kept")) as again:
        assert again.runs("churn").column("auc") == [0.9]


def test_a_cache_that_cannot_be_written_says_how_to_choose_another(
    local_store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with local_store.run("churn/train") as run:
        kept = run.log_artifact("note", "all went well")
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("MLMD_CACHE", str(tmp_path / "file" / "cache"))
    with pytest.raises(Refused, match=r"^MLMD_CACHE: '.*/cache/.*' cannot be written \(.*\); let it name"):
        kept.open()
    with pytest.raises(Refused, match=r"^target: '.*/cache' cannot be written \(.*\)\.$"):
        kept.download(tmp_path / "file" / "cache")
