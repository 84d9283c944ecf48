"""Tables that are logged: they come back as they were, and tell what they hold and lack."""

import numpy as np
import pandas as pd
import pytest
from mlmd_client import Refused, Store


@pytest.mark.parametrize(
    "frame",
    [
        pd.DataFrame({"x": [1, 2, 3]}),
        pd.DataFrame({"x": [1.5, 2.5]}, index=[7, 3]),
        pd.DataFrame({"x": ["a", "b"]}, index=pd.Index(["r", "s"], name="row")),
        pd.DataFrame({"x": [1, 2]}, index=pd.MultiIndex.from_tuples([("a", 1), ("b", 2)], names=["k", "n"])),
        pd.DataFrame([[1, 2.5], [3, 4.5]], columns=pd.MultiIndex.from_tuples([("a", "x"), ("a", "y")])),
        pd.DataFrame(
            [[1, 2.5], [3, 4.5]],
            index=pd.Index(["r", "s"], name="row"),
            columns=pd.MultiIndex.from_tuples([("a", "x"), ("a", "y")], names=["k", "n"]),
        ),
        pd.DataFrame(),
        pd.DataFrame({"zip": ["007", None], "country": ["NA", "null"], "word": pd.array(["1.0", None], "string")}),
        pd.DataFrame({"small": np.array([1, 2], "int8"), "large": np.array([2**64 - 1, 0], "uint64")}),
        pd.DataFrame({"exact": [0.1 + 0.2, 1e-310], "half": np.array([np.inf, np.nan], "float16")}),
        pd.DataFrame({"maybe": pd.array([1, None], "Int64"), "so": pd.array([True, None], "boolean")}),
        pd.DataFrame({"day": pd.to_datetime(["2026-01-01", None]), "took": pd.to_timedelta([1, None], unit="h")}),
        pd.DataFrame({"here": pd.to_datetime(["2026-07-01T12:00:00Z"]).tz_convert("Europe/Berlin")}),
        pd.DataFrame({"kind": pd.Categorical(["b", "a"]), "grade": pd.Categorical([2, 1])}),
    ],
)
def test_a_table_comes_back_as_it_was(local_store: Store, frame: pd.DataFrame) -> None:
    with local_store.run("frames/one") as run:
        run.log_dataset("table", frame)
    for read in (local_store["table"].df, local_store["table"].load):
        pd.testing.assert_frame_equal(read(), frame)


def test_whoever_reads_a_table_may_say_its_types(local_store: Store) -> None:
    with local_store.run("frames/types") as run:
        run.log_dataset("table", pd.DataFrame({"x": [1, 2], "y": ["007", "8"]}))
    table = local_store["table"]
    assert table.properties["columns"] == {"x": "int64", "y": "str"}
    assert table.df(dtype={"x": "float32"})["x"].dtype == "float32"
    assert table.df(usecols=["y"])["y"].tolist() == ["007", "8"]


def test_a_table_with_a_name_twice_is_refused(local_store: Store) -> None:
    frame = pd.DataFrame([[1, 2]], columns=["a", "a"])
    with local_store.run("frames/twice") as run, pytest.raises(Refused, match=r"^data: two columns are called 'a'; "):
        run.log_dataset("table", frame)


def test_a_table_tells_what_it_lacks(local_store: Store) -> None:
    with local_store.run("frames/gaps") as run:
        gaps = run.log_dataset("gaps", pd.DataFrame({"x": [1.0, None, None], "y": ["a", "b", None], "z": [1, 2, 3]}))
        whole = run.log_dataset("whole", pd.DataFrame({"z": [1, 2, 3]}))
    assert gaps.properties["missing"] == {"x": 2, "y": 1}
    assert (gaps.properties["rows"], gaps.properties["columns"]["x"]) == (3, "float64")
    assert "missing" not in whole.properties
