"""Lists in pages, as Relay has them: `first` and `after`; edges, nodes and pageInfo."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

import graphene
from mlmd_metadata_store.keyset_tokens import key_of_token, number_of_token, token_after
from mlmd_schemas.errors import InvalidArgument

from mlmd_api.graphql.objects import made_object, many, resolved

T = TypeVar("T")

DEFAULT_PAGE = 20
LARGEST_PAGE = 100


@dataclass(frozen=True, slots=True)
class Page:
    """Some items of a list. `cursor` makes an item's cursor; `later` tells whether there was a page before."""

    items: Sequence[Any]
    cursor: Callable[[Any], str]
    more: bool
    later: bool


def _end(place: int) -> Callable[[Page, Any], str | None]:
    return lambda page, _info: page.cursor(page.items[place]) if page.items else None


PageInfo = made_object(
    "PageInfo",
    {
        "hasNextPage": resolved(graphene.NonNull(graphene.Boolean), lambda page, _info: page.more),
        "hasPreviousPage": resolved(graphene.NonNull(graphene.Boolean), lambda page, _info: page.later),
        "startCursor": resolved(graphene.String, _end(0)),
        "endCursor": resolved(graphene.String, _end(-1)),
    },
    description="Where a page begins and ends. Pages go forward: ask for the next one with `after: endCursor`.",
)


def connection_of(name: str, node: Callable[[], Any]) -> Any:
    """Return the connection type of an entity; its values are pages."""
    edge = made_object(
        f"{name}Edge",
        {
            "cursor": resolved(graphene.NonNull(graphene.String), lambda pair, _info: pair[0].cursor(pair[1])),
            "node": resolved(graphene.NonNull(node), lambda pair, _info: pair[1]),
        },
    )
    return made_object(
        f"{name}Connection",
        {
            "edges": resolved(many(edge), lambda page, _info: [(page, item) for item in page.items]),
            "nodes": resolved(many(node), lambda page, _info: page.items),
            "pageInfo": resolved(graphene.NonNull(PageInfo), lambda page, _info: page),
        },
    )


def page_arguments() -> dict[str, Any]:
    """Return the arguments of a list in pages."""
    return {
        "first": graphene.Argument(
            graphene.Int, default_value=DEFAULT_PAGE, description=f"How many: 1 to {LARGEST_PAGE}."
        ),
        "after": graphene.Argument(graphene.String, description="The cursor of the last item of the page before."),
    }


def checked_first(first: int | None) -> int:
    """Return the size of a page; raises InvalidArgument unless it is 1 to LARGEST_PAGE."""
    if first is None:
        return DEFAULT_PAGE
    if first < 1:
        raise InvalidArgument(f"first: {first} is not 1 to {LARGEST_PAGE}; ask for at least one.")
    if first > LARGEST_PAGE:
        raise InvalidArgument(
            f"first: {first} is not 1 to {LARGEST_PAGE}; "
            "ask for fewer, and for the rest with after: pageInfo.endCursor."
        )
    return first


def number_after(name: str, after: str | None) -> int:
    """Return the number behind which a page of the list `name` begins; raises InvalidArgument for another cursor."""
    number = _read(number_of_token, name, after or "")
    return 0 if number is None else number


def key_after(name: str, after: str | None) -> str:
    """Return the key behind which a page of the list `name` begins; raises InvalidArgument for another cursor."""
    return _read(key_of_token, name, after or "")


def _read(read: Callable[[str, str], T], name: str, after: str) -> T:
    try:
        return read(name, after)
    except InvalidArgument:
        raise InvalidArgument(f"after: {after[:60]!r} is no cursor of this list; take one of its edges.") from None


def number_cursor(name: str) -> Callable[[Any], str]:
    """Return what makes cursors of a list whose items have a numeric `id`."""
    return lambda item: token_after(name, str(item.id))
