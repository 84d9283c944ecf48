"""Files and the objects that people have in them: tables, models, arrays."""

import pickle
import re
from collections.abc import Mapping
from importlib import import_module
from pathlib import Path
from typing import Any

from mlmd_client.failures import refused
from mlmd_client.tables import load_pandas

_READERS: dict[str, tuple[str, dict[str, Any]]] = {
    ".csv": ("read_csv", {}),
    ".tsv": ("read_csv", {"sep": "\t"}),
    ".parquet": ("read_parquet", {}),
    ".json": ("read_json", {}),
    ".jsonl": ("read_json", {"lines": True}),
    ".ndjson": ("read_json", {"lines": True}),
    ".feather": ("read_feather", {}),
    ".xlsx": ("read_excel", {}),
    ".pkl": ("read_pickle", {}),
}
INDEX_LEVELS = "index_levels"
"""The property that says how many columns of a CSV file are the index of the table."""
HEADER_LEVELS = "header_levels"
"""The property that says how many lines of a CSV file are the names of the columns, where it is not one."""
COLUMNS = "columns"
"""The property that says which type each column of a table has."""
_READ_AS = re.compile(r"(?:u?int|UInt|Int|Float)\d+|float(?:32|64)|bool|boolean|str|string(?:\[\w+\])?")
"""Types that pandas reads a column of CSV as when told; others are made of what it read."""
_PICKLED = (".pkl", ".pickle")
_LONGEST_STEM_BYTES = 200
_JOBLIB = ".joblib"


def read_frame(path: Path, **options: Any) -> Any:
    """Read a table into a pandas DataFrame by the ending of its name; raises Refused for one that is unknown.

    >>> read_frame(Path("model.bin"))
    Traceback (most recent call last):
      ...
    mlmd_client.failures.Refused: path: 'model.bin' ends with none of .csv, .feather, .json, ...
    """
    suffixes = [suffix.lower() for suffix in path.suffixes if suffix.lower() not in (".gz", ".bz2", ".zst", ".xz")]
    reader = _READERS.get(suffixes[-1] if suffixes else "")
    if reader is None:
        known = ", ".join(sorted(_READERS))
        raise refused(f"path: {path.name!r} ends with none of {known}; open it with .open() or .path.")
    name, defaults = reader
    pandas = load_pandas()
    try:
        return getattr(pandas, name)(path, **{**defaults, **options})
    except pandas.errors.EmptyDataError:
        return pandas.DataFrame()


def read_typed_csv(path: Path, types: Mapping[str, str], **options: Any) -> Any:
    """Read a CSV file that `write_object` wrote, each column as the type that it had there, as far as CSV can tell.

    Categories are as such in the order of their values; columns of objects are what pandas takes them for, and an
    empty text is a missing one.

    >>> import tempfile
    >>> file = Path(tempfile.mkdtemp()) / "towns.csv"
    >>> _ = file.write_text("zip,country\\n007,NA\\n")
    >>> read_typed_csv(file, {"zip": "str", "country": "str"}).to_dict("records")
    [{'zip': '007', 'country': 'NA'}]
    """
    told = {name: kind for name, kind in types.items() if _READ_AS.fullmatch(kind)}
    pandas = load_pandas()
    exact: dict[str, Any] = {"dtype": told, "keep_default_na": False, "na_values": [""]}
    if int(pandas.__version__.partition(".")[0]) < 3:  # which is what later ones do, and warn of
        exact["float_precision"] = "round_trip"
    frame = read_frame(path, **{**exact, **options})
    for name in frame.columns:
        kind = types.get(name, "")
        if kind.startswith("datetime64"):
            moments = pandas.to_datetime(frame[name], format="ISO8601", utc="," in kind)
            frame[name] = moments.astype(kind)
        elif kind.startswith("timedelta64"):
            frame[name] = pandas.to_timedelta(frame[name]).astype(kind)
        elif kind in ("category", "float16"):
            frame[name] = frame[name].astype(kind)
    return frame


def write_object(given: Any, folder: Path, name: str) -> tuple[Path, dict[str, Any]]:
    """Write an object into a folder; return the file and what is known of the object, for its properties.

    Tables become parquet where pyarrow or fastparquet is there, else CSV; numpy's arrays npy; models of scikit-learn
    joblib; text and bytes what they are; everything else a pickle. Raises Refused for what cannot be pickled.

    >>> import tempfile
    >>> file, facts = write_object({"weights": [1, 2]}, Path(tempfile.mkdtemp()), "churn")
    >>> file.name, facts["python_class"]
    ('churn.pkl', 'builtins.dict')
    """
    if given is None:
        raise refused("data: is None; give a path, a table, an array, or the object to keep.")
    kind = type(given)
    facts: dict[str, Any] = {"python_class": f"{kind.__module__}.{kind.__qualname__}"}
    stem = _stem(name)
    package = kind.__module__.partition(".")[0]
    if package == "pandas" and hasattr(given, "to_csv"):
        return _written_frame(given if hasattr(given, "columns") else _framed(given), folder, stem, facts)
    if package == "numpy" and hasattr(given, "tofile") and not given.dtype.hasobject:
        import_module("numpy").save(folder / f"{stem}.npy", given, allow_pickle=False)
        return folder / f"{stem}.npy", facts | {"shape": list(given.shape), "dtype": str(given.dtype)}
    if isinstance(given, bytes):
        (folder / f"{stem}.bin").write_bytes(given)
        return folder / f"{stem}.bin", facts
    if isinstance(given, str):
        (folder / f"{stem}.txt").write_text(given, "utf-8")
        return folder / f"{stem}.txt", facts
    facts |= _framework(package)
    return _pickled(given, folder, stem, package), facts


def _stem(name: str) -> str:
    """Return what a file of a name is called, without its ending: as far as file systems and the store take it."""
    last = name.rpartition("/")[2].replace("\\", "_") or "object"
    return last.encode()[:_LONGEST_STEM_BYTES].decode(errors="ignore")


def _framed(series: Any) -> Any:
    """Return a Series, or an Index, as the table of one column that it is."""
    return series.to_frame("values" if series.name is None else series.name)


def _written_frame(frame: Any, folder: Path, stem: str, facts: dict[str, Any]) -> tuple[Path, dict[str, Any]]:
    twice = frame.columns[frame.columns.duplicated()]
    if len(twice):
        raise refused(f"data: two columns are called {twice[0]!r:.60}; give each a name of its own.")
    facts = facts | {"rows": len(frame), COLUMNS: {str(name): _type_of(frame[name]) for name in frame.columns}}
    counts = zip(frame.columns, frame.isna().sum(), strict=True)
    missing = {str(name): int(count) for name, count in counts if count}
    if missing:
        facts["missing"] = missing
    try:
        frame.to_parquet(folder / f"{stem}.parquet")
        return folder / f"{stem}.parquet", facts
    except (ValueError, TypeError, NotImplementedError) as error:
        raise refused(
            f"data: the table cannot be kept as parquet ({error}); give each column values of one type, or keep the "
            "table as a file and give its path."
        ) from error
    except ImportError:
        lines = frame.columns.nlevels  # with several, pandas writes the index too, whatever it is
        levels = frame.index.nlevels if type(frame.index).__name__ != "RangeIndex" or lines > 1 else 0
        frame.to_csv(folder / f"{stem}.csv", index=bool(levels))
        told = {INDEX_LEVELS: levels, HEADER_LEVELS: lines if lines > 1 else 0}
        return folder / f"{stem}.csv", facts | {name: count for name, count in told.items() if count}


def _type_of(column: Any) -> str:
    """Return what a column is; before pandas 3 text was of type object."""
    kind = str(column.dtype)
    is_text = kind == "object" and load_pandas().api.types.infer_dtype(column, skipna=True) == "string"
    return "str" if is_text else kind


def _framework(package: str) -> dict[str, Any]:
    try:
        module = import_module(package)
    except ImportError:
        return {}
    version = getattr(module, "__version__", "")
    return {"framework": package, "framework_version": str(version)} if version else {}


def _pickled(given: Any, folder: Path, stem: str, package: str) -> Path:
    try:
        if package in ("sklearn", "lightgbm", "xgboost"):
            path = folder / f"{stem}{_JOBLIB}"
            import_module("joblib").dump(given, path)
            return path
        path = folder / f"{stem}.pkl"
        with path.open("wb") as file:  # not as bytes first, which would be a second copy of a large model in memory
            pickle.dump(given, file, protocol=5)
    except (pickle.PicklingError, TypeError, ValueError, AttributeError, RecursionError) as error:
        raise refused(
            f"model: a {type(given).__name__} cannot be pickled ({error}); save it with its library, give the path."
        ) from None
    return path


def load_object(path: Path) -> Any:
    """Return the object in a file that `write_object` wrote, or a pickle; raises Refused for other endings.

    >>> load_object(Path("model.onnx"))
    Traceback (most recent call last):
      ...
    mlmd_client.failures.Refused: path: 'model.onnx' is nothing that was pickled; open it with its own ...
    """
    suffix = path.suffix.lower()
    if suffix == _JOBLIB:
        return import_module("joblib").load(path)
    if suffix in _PICKLED:
        with path.open("rb") as file:
            return pickle.load(file)
    if suffix == ".npy":
        return import_module("numpy").load(path, allow_pickle=False)
    if suffix == ".txt":
        return path.read_text("utf-8")
    if suffix == ".parquet":
        return read_frame(path)
    raise refused(f"path: {path.name!r} is nothing that was pickled; open it with its own library, from .path.")
