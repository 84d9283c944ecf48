"""What deployers write for a version: `models:/fraud@champion`, `models:/fraud/7`, `model-registry://fraud/7`.

Names are percent-encoded, so that `/` and `@` in them are told from those that separate.
"""

from dataclasses import dataclass
from datetime import datetime
from urllib.parse import unquote_to_bytes

from mlmd_schemas.aliases import LATEST
from mlmd_schemas.errors import InvalidArgument

MODELS, MODEL_REGISTRY = "models:/", "model-registry://"
LONGEST_URI = 4096
_LATEST_MS = 1 << 62


@dataclass(frozen=True, slots=True)
class ModelUri:
    """A model and which of its versions: an alias, or a name or number."""

    model: str
    alias: str = ""
    version: str = ""


def parse_model_uri(uri: str) -> ModelUri:
    """Return what a URI names; without version and alias it is the newest version. Raises InvalidArgument."""
    if len(uri) > LONGEST_URI:
        raise InvalidArgument(f"uri: has {len(uri)} characters; use at most {LONGEST_URI}.")
    if uri.startswith(MODELS):
        return _models(uri, uri.removeprefix(MODELS))
    if uri.startswith(MODEL_REGISTRY):
        return _model_registry(uri, uri.removeprefix(MODEL_REGISTRY).partition("?")[0])
    raise _unknown(uri)


def _models(uri: str, rest: str) -> ModelUri:
    name, at, alias = rest.partition("@")
    if at:
        if "/" in rest or "@" in alias:
            raise _unknown(uri)
        return ModelUri(_decoded(uri, name), alias=_decoded(uri, alias))
    return _of_segments(uri, rest.split("/"))


def _model_registry(uri: str, rest: str) -> ModelUri:
    """Kubeflow's form; a host before model and version is where the question was sent, which is here."""
    segments = rest.removesuffix("/").split("/")
    return _of_segments(uri, segments[1:] if len(segments) == 3 else segments)


def _of_segments(uri: str, segments: list[str]) -> ModelUri:
    if len(segments) > 2:
        raise _unknown(uri)
    names = [_decoded(uri, segment) for segment in segments]
    return ModelUri(names[0], alias=LATEST) if len(names) == 1 else ModelUri(names[0], version=names[1])


def _decoded(uri: str, segment: str) -> str:
    if not segment:
        raise _unknown(uri)
    try:
        return unquote_to_bytes(segment).decode()
    except UnicodeDecodeError:
        raise InvalidArgument(f"uri: {segment[:80]!r} is not UTF-8 once its percent-encoding is undone.") from None


def _unknown(uri: str) -> InvalidArgument:
    return InvalidArgument(
        f"uri: {uri[:200]!r} names no version; write models:/NAME@ALIAS, models:/NAME/VERSION, models:/NAME or "
        "model-registry://NAME/VERSION, with '/' and '@' in names as %2F and %40."
    )


def parse_moment(text: str) -> int:
    """Return the milliseconds since the epoch of an RFC 3339 time with offset, or of their own; InvalidArgument."""
    if text.isascii() and text.isdecimal() and len(text) < 19:
        return int(text)
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        moment = None
    if moment is None or moment.tzinfo is None:
        raise InvalidArgument(
            f"as_of: {text[:80]!r} is no moment; write it with its offset, 2026-05-03T12:00:00+02:00, or as "
            "milliseconds since the epoch."
        )
    return max(0, min(_LATEST_MS, int(moment.timestamp() * 1000)))
