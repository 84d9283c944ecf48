"""What people give by mistake, or as other libraries take it: refused with its name, or understood."""

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
