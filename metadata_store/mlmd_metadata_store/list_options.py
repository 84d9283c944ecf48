"""ListOperationOptions: how a list is filtered, ordered and cut into pages (mlmd-read contract, 3)."""

from dataclasses import dataclass

from mlmd_schemas.errors import InvalidArgument
from mlmd_schemas.pb import metadata_store_pb2 as pb

from mlmd_metadata_store.page_tokens import Order, Place, decode_token, place_of

LARGEST_PAGE = 100
"""Nodes on one page at most; a request for more gets this many and a token."""
_INT32_MAX = (1 << 31) - 1


@dataclass(frozen=True, slots=True)
class Paging:
    """Checked options: one page of an order."""

    size: int
    field: int
    """Number of `OrderByField.Field`: CREATE_TIME, LAST_UPDATE_TIME or ID."""
    ascending: bool
    after: Place | None
    """Where the page before this one ended; None for the first."""


def read_options(options: pb.ListOperationOptions) -> Paging:
    """Return the paging that the options ask for; raises InvalidArgument for a size, order or token that is wrong.

    The filter is not looked at here.
    """
    size = options.max_result_size
    if not 0 < size < _INT32_MAX:
        raise InvalidArgument(f"max_result_size: {size} is out of range; ask for 1 to {LARGEST_PAGE} nodes a page.")
    field, ascending = options.order_by_field.field, options.order_by_field.is_asc
    if field == Order.FIELD_UNSPECIFIED:
        raise InvalidArgument(
            "order_by_field.field: FIELD_UNSPECIFIED orders nothing; use CREATE_TIME, LAST_UPDATE_TIME or ID."
        )
    after = None
    if options.next_page_token:
        after = place_of(decode_token(options.next_page_token), field, ascending)
    return Paging(min(size, LARGEST_PAGE), field, ascending, after)
