"""What a client sends: a document or its hash, variables, and which operation; from a body or a query string."""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from mlmd_schemas.errors import InvalidArgument
from mlmd_schemas.json_names import names_once

_HALF_PAIR = re.compile(r"\\u[dD][89abAB]")
"""An escape that may leave half a surrogate pair, which is no text."""

_MOST_DIGITS = 400
"""Of an integer that is read as one: a double may have as many, and Python refuses a few thousand."""


@dataclass(frozen=True, slots=True)
class GraphqlRequest:
    """One operation as asked for."""

    query: str | None = None
    variables: Mapping[str, Any] = field(default_factory=dict)
    operation_name: str | None = None
    extensions: Mapping[str, Any] = field(default_factory=dict)


def request_of_body(body: bytes) -> GraphqlRequest:
    """Return the request in a JSON body; raises InvalidArgument when it is none."""
    parsed = _parsed(body, "body")
    if isinstance(parsed, list):
        raise InvalidArgument("body: is a list; send one operation in a request, and several requests at a time.")
    return _request(parsed, "body")


def request_of_parameters(parameters: Mapping[str, str]) -> GraphqlRequest:
    """Return the request in the parameters of a GET; raises InvalidArgument when there is none."""
    parts: dict[str, Any] = {name: parameters[name] for name in ("query", "operationName") if name in parameters}
    for name in ("variables", "extensions"):
        if parameters.get(name):
            parts[name] = _parsed(parameters[name].encode("utf-8", "replace"), name)
    return _request(parts, "parameters")


def _request(parts: Any, place: str) -> GraphqlRequest:
    if not isinstance(parts, dict):
        raise InvalidArgument(f"{place}: is no JSON object; send {{query, variables, operationName, extensions}}.")
    query, name = parts.get("query"), parts.get("operationName")
    for field_name, value in (("query", query), ("operationName", name)):
        if value is not None and not isinstance(value, str):
            raise InvalidArgument(f"{field_name}: is no string.")
    return GraphqlRequest(query, _object(parts, "variables"), name, _object(parts, "extensions"))


def _object(parts: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    value = parts.get(name)
    if value is None:
        return {}
    if not isinstance(value, dict):
        raise InvalidArgument(f"{name}: is no JSON object.")
    return value


def _parsed(body: bytes, place: str) -> Any:
    try:
        text = body.decode()
    except UnicodeDecodeError as error:
        raise InvalidArgument(f"{place}: byte {error.start} of the JSON is not valid UTF-8.") from None
    try:
        parsed = json.loads(text, parse_constant=_no_number, parse_int=_integer, object_pairs_hook=names_once)
        if _HALF_PAIR.search(text):
            json.dumps(parsed, ensure_ascii=False).encode()
    except UnicodeEncodeError:
        raise InvalidArgument(f"{place}: holds half of a surrogate pair, which is no character.") from None
    except RecursionError:
        raise InvalidArgument(f"{place}: is nested too deeply; flatten it.") from None
    except ValueError as error:
        raise InvalidArgument(f"{place}: is no JSON: {error}.") from None
    return parsed


def _integer(digits: str) -> int | str:
    """Return an integer; one of more digits than any field takes as text, so that its field is told."""
    return int(digits) if len(digits) <= _MOST_DIGITS else digits


def _no_number(name: str) -> Any:
    raise ValueError(f'{name} is no JSON; write "{name}" in quotes')
