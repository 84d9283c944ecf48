"""Page tokens: where the last page ended (mlmd-read contract, 3.3).

A token is a serialized ListOperationNextPageToken in web-safe base64 without padding, readable by Google's server and
read from it. Google's tokens for LAST_UPDATE_TIME list the ids of the page that share the last time and no id; ours
carry both, and a list without id is read as the id that comes last in it.
"""

import base64
import binascii
import re
from dataclasses import dataclass

from google.protobuf.message import DecodeError
from mlmd_schemas.errors import InvalidArgument
from mlmd_schemas.pb import metadata_store_pb2 as pb

Order = pb.ListOperationOptions.OrderByField
_WHITESPACE = re.compile(r"[ \t\n\v\f\r]+")
_ENCODED = re.compile(r"([A-Za-z0-9_-]*)([=.]{0,2})")
_MEND = "Use the next_page_token of an earlier answer as it is, or leave it out for the first page."


@dataclass(frozen=True, slots=True)
class Place:
    """A place in an order: behind the node with this id, whose sort key is `key`."""

    key: int
    node_id: int


def encode_token(token: pb.ListOperationNextPageToken) -> str:
    """Return the token as clients carry it."""
    return base64.urlsafe_b64encode(token.SerializeToString(deterministic=True)).rstrip(b"=").decode("ascii")


def decode_token(text: str) -> pb.ListOperationNextPageToken:
    """Return what a token says; raises InvalidArgument for anything that is none.

    ASCII whitespace is passed over and correct padding accepted, of dots, too, as Google's server does.
    """
    match = _ENCODED.fullmatch(_WHITESPACE.sub("", text))
    if match is None:
        raise InvalidArgument(f"next_page_token: {text[:100]!r} is not web-safe base64. {_MEND}")
    encoded, padding = match.groups()
    if padding and (len(encoded) + len(padding)) % 4:
        raise InvalidArgument(f"next_page_token: {text[:100]!r} has wrong padding. {_MEND}")
    try:
        return pb.ListOperationNextPageToken.FromString(base64.urlsafe_b64decode(encoded + "=" * (-len(encoded) % 4)))
    except (binascii.Error, DecodeError) as error:
        raise InvalidArgument(f"next_page_token: {text[:100]!r} is not a page token. {_MEND}") from error


def place_of(token: pb.ListOperationNextPageToken, field: int, ascending: bool) -> Place:
    """Return the place where a page of this order goes on.

    Raises InvalidArgument when the token was made for another order, or for LAST_UPDATE_TIME and names no node.
    """
    made_for = token.set_options.order_by_field
    if (made_for.field, made_for.is_asc) != (field, ascending):
        raise InvalidArgument(
            f"next_page_token: it was made for {_order_text(made_for.field, made_for.is_asc)} and cannot go on in "
            f"{_order_text(field, ascending)}. Keep order_by_field the same for all pages."
        )
    if field == Order.ID:
        return Place(token.field_offset, token.field_offset)
    if field == Order.CREATE_TIME or token.HasField("id_offset"):
        return Place(token.field_offset, token.id_offset)
    if not token.listed_ids:
        raise InvalidArgument(f"next_page_token: it names no node of the last page. {_MEND}")
    return Place(token.field_offset, max(token.listed_ids) if ascending else min(token.listed_ids))


def token_after(options: pb.ListOperationOptions, field: int, keys: list[tuple[int, int]]) -> str:
    """Return the token behind a page whose nodes have these (key, id), in order; `options` as the client sent them."""
    key, node_id = keys[-1]
    token = pb.ListOperationNextPageToken(id_offset=node_id, field_offset=key)
    token.set_options.CopyFrom(options)
    token.set_options.SetInParent()
    token.set_options.ClearField("next_page_token")
    if field == Order.LAST_UPDATE_TIME:
        token.listed_ids.extend(other for other_key, other in reversed(keys) if other_key == key)
    return encode_token(token)


def _order_text(field: int, ascending: bool) -> str:
    return f"{Order.Field.Name(field)} {'ascending' if ascending else 'descending'}"
