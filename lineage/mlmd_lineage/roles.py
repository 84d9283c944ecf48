"""What artifacts are for, as far as their types tell: data, models, or what is told about them."""

import re

DATA = "dataset"
MODEL = "model"
_METRICS = ("metrics", "metric", "metrichistory", "statistics", "html", "markdown", "parameter")
_WORDS = re.compile(r"[A-Z]+(?![a-z])|[A-Z][a-z]+|[a-z]+|\d+")


def _words(type_name: str) -> list[str]:
    """Return the words of the last part of a name: `google.VertexModel` has Vertex and Model."""
    return [word.lower() for word in _WORDS.findall(type_name.rpartition(".")[2])]


def is_data(type_name: str) -> bool:
    """Say whether artifacts of this type hold data: system.Dataset, kf.DataSet, google.BQTable, Examples."""
    words = _words(type_name)
    return "".join(words[-2:]).endswith(DATA) or (bool(words) and words[-1] in ("data", "table", "examples"))


def is_model(type_name: str) -> bool:
    """Say whether artifacts of this type are models: system.Model, kf.ModelArtifact, google.VertexModel."""
    words = _words(type_name)
    return bool(words) and (words[-1] == MODEL or words[-2:] == [MODEL, "artifact"])


def is_derived(type_name: str) -> bool:
    """Say whether artifacts of this type are never a source: metrics, reports, statistics."""
    words = _words(type_name)
    return bool(words) and (words[-1] in _METRICS or "".join(words[-2:]) in _METRICS)
