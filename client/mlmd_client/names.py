"""Names of versions as people write them: `churn-train@latest`, `churn@3`, `churn:3`, `models:/churn@champion`."""

import re
from collections.abc import Callable
from dataclasses import dataclass, field
from urllib.parse import unquote

from mlmd_schemas.aliases import LATEST

from mlmd_client.failures import refused

MODEL_TYPE, DATASET_TYPE, ARTIFACT_TYPE = "system.Model", "system.Dataset", "system.Artifact"
MODELS_SCHEME = "models:/"
_NEARLY_MODELS = re.compile(r"models?:/+", re.IGNORECASE)
"""How people write the scheme that is `models:/`."""
_TYPE = re.compile(r"((?:system|mlmd|kf)\.[^/]+)/(.+)", re.DOTALL)
_SELECTED = re.compile(r"(.+?)(?:@([^@]+)|:(\d+|latest)|/(\d+))", re.DOTALL)


_BY_ID = re.compile(r"(artifact|execution|context)[:/](\d+)")
_LARGEST_ID = (1 << 63) - 1
_LARGEST_DIGITS = len(str(_LARGEST_ID))


def node_id(text: object) -> tuple[str, int] | None:
    """Return kind and id of a node that is named by its id, None for anything else; raises Refused.

    >>> node_id("artifact:7"), node_id("churn@3")
    (('artifact', 7), None)
    """
    found = _BY_ID.fullmatch(text) if isinstance(text, str) else None
    if found is None:
        return None
    number = _counted(found[2])
    if number is None:
        raise refused(f"id: {text!r} is beyond every id; they end with {_LARGEST_ID}.")
    return found[1], number


def may_be_id(number: int) -> bool:
    """Whether a number is one that an id can have.

    >>> may_be_id(7), may_be_id(0), may_be_id(1 << 63)
    (True, False, False)
    """
    return 0 < number <= _LARGEST_ID


def _counted(digits: str) -> int | None:
    """Return a number that an id or a version may have, None for one that is beyond them; digits may be very many."""
    significant = digits.lstrip("0")
    if len(significant) > _LARGEST_DIGITS or int(significant or "0") > _LARGEST_ID:
        return None
    return int(significant or "0")


@dataclass(frozen=True, slots=True)
class Reference:
    """A version by name: of a type ("": whichever has the name), by number or by alias.

    >>> Reference("churn", alias="champion").text
    'churn@champion'
    """

    name: str
    type_name: str = ""
    number: int = 0
    alias: str = ""
    written: str = field(default="", compare=False, repr=False)
    """The text that it was read from, which may be a name as a whole."""

    @property
    def text(self) -> str:
        """The reference as people write it."""
        return f"{self.name}@{self.number or self.alias}"


def parse_reference(text: str, type_name: str = "") -> Reference:
    """Return what a text refers to; without number or alias the newest version. Raises Refused.

    >>> parse_reference("churn-train")
    Reference(name='churn-train', type_name='', number=0, alias='latest')
    >>> parse_reference("churn:3") == parse_reference("churn@3") == parse_reference("churn/3")
    True
    >>> parse_reference("models:/churn@champion").type_name
    'system.Model'
    >>> parse_reference("system.Dataset/churn@3").type_name
    'system.Dataset'
    """
    if not isinstance(text, str) or not text.strip():
        raise refused(f"name: {text!r} names nothing; write name@alias, name@3 or name for the newest version.")
    rest = text
    decoded: Callable[[str], str] = str
    if rest.startswith(MODELS_SCHEME):
        rest, type_name, decoded = rest.removeprefix(MODELS_SCHEME), type_name or MODEL_TYPE, unquote
    elif _NEARLY_MODELS.match(rest):
        raise refused(f"name: {text!r} begins like the URI of a model; write models:/name@alias or models:/name/3.")
    if rest.startswith("/") and rest is not text:
        raise refused(f"name: {text!r} has a '/' too many; write models:/name@alias or models:/name/3.")
    if not rest.strip():
        raise refused(f"name: {text!r} names no model; write models:/name@alias or models:/name/3.")
    typed = _TYPE.fullmatch(rest)
    if typed:
        if type_name and typed[1] != type_name:
            raise refused(f"name: {text!r} is of type {typed[1]}, and {type_name} was asked for; say one of them.")
        type_name, rest = typed[1], typed[2]
    selected = _SELECTED.fullmatch(rest)
    if selected is None:
        if "@" in rest:
            raise refused(f"name: {text!r} has an '@' and not both a name and an alias around it; write name@alias.")
        return Reference(decoded(rest), type_name, alias=LATEST)
    name, chosen = decoded(selected[1]), selected[2] or selected[3] or selected[4]
    if chosen.isdecimal() and chosen.isascii():
        number = _counted(chosen)
        if number is None:
            whole = "" if selected[2] else f", and {rest}@{LATEST} where the number is of the name"
            raise refused(
                f"name: {text!r} is beyond every version; they end with {_LARGEST_ID}. {name}@{LATEST} is the "
                f"newest{whole}."
            )
        if number < 1:
            raise refused(f"name: {text!r}: versions count from 1; {name}@{LATEST} is the newest.")
        return Reference(name, type_name, number=number, written=rest)
    return Reference(name, type_name, alias=decoded(chosen), written=rest)
