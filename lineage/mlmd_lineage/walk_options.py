"""What a request asks of a walk, checked, and the tokens that go on where a page ended."""

import base64
import binascii
import hashlib
import struct
from dataclasses import dataclass, replace
from typing import Any

import sqlalchemy as sa
from mlmd_metadata_store.filter import parse_filter
from mlmd_metadata_store.transaction import Transaction
from mlmd_schemas.errors import InvalidArgument
from mlmd_schemas.pb.v1 import lineage_pb2 as v1
from mlmd_schemas.tables.v10 import EVENT, Kind

from mlmd_lineage.ends import Direction, Ref
from mlmd_lineage.subgraph import Ending
from mlmd_lineage.walk import BEGINNING, Bounds, Place, Walk

DEFAULT_HOPS = 100
MOST_HOPS = 1_000
DEFAULT_NODES = 1_000
MOST_NODES = 10_000

_KINDS = {"artifact_id": Kind.ARTIFACT, "execution_id": Kind.EXECUTION}
_TOKEN = struct.Struct(">IqIq8s")
"""Hop and node id of the place, the deepest hop, the newest event, the digest of the request."""
_NEWEST = sa.select(sa.func.max(EVENT.c.id))
_NOT_OURS = "page_token: not one that this request gave; take the token of the page before, and ask the same again."


def ref_of(message: v1.LineageRef, field: str) -> Ref:
    """Return the node that a field names; raises InvalidArgument when it names none."""
    chosen = message.WhichOneof("node")
    if chosen is None:
        raise InvalidArgument(f"{field}: names no node; set artifact_id or execution_id.")
    return Ref(_KINDS[chosen], getattr(message, chosen))


def endings_of(options: v1.LineageOptions) -> dict[Kind, Ending]:
    """Return where walks end; raises InvalidArgument for a filter that is wrong, whether or not a walk comes there."""
    filters = {Kind.ARTIFACT: options.ending_artifacts, Kind.EXECUTION: options.ending_executions}
    for kind, text in filters.items():
        if text:
            parse_filter(kind, text)
    return {kind: Ending(kind, text or None, included=True) for kind, text in filters.items()}


def bounds_of(options: v1.LineageOptions, page_size: int) -> Bounds:
    """Return the bounds of a first page; raises InvalidArgument for a number that is out of range."""
    if not 0 <= options.max_hops <= MOST_HOPS:
        raise InvalidArgument(
            f"options.max_hops: {options.max_hops} is not 1 to {MOST_HOPS}; 0 means {DEFAULT_HOPS}, and "
            "deeper_page_token goes on."
        )
    if not 0 <= page_size <= MOST_NODES:
        raise InvalidArgument(f"page_size: {page_size} is not 1 to {MOST_NODES}; 0 means {DEFAULT_NODES}.")
    for field in ("max_duration_ms", "since_ms", "until_ms"):
        if getattr(options, field) < 0:
            raise InvalidArgument(f"options.{field}: {getattr(options, field)} is negative; 0 means no limit.")
    if options.until_ms and options.until_ms <= options.since_ms:
        raise InvalidArgument("options.until_ms: is not after since_ms; no event can lie between them.")
    return Bounds(
        page_size=page_size or DEFAULT_NODES,
        deepest=options.max_hops or DEFAULT_HOPS,
        duration_ms=options.max_duration_ms,
        since_ms=options.since_ms,
        until_ms=options.until_ms,
        with_system_nodes=options.with_system_nodes,
        join_digests=options.join_digests,
    )


@dataclass(slots=True)
class Asked:
    """A page of a walk, as asked for by GetProvenanceRequest or GetImpactRequest."""

    start: Ref
    walk: Walk
    _digest: bytes

    def run(self, tx: Transaction) -> Walk:
        """Walk the page."""
        self.walk.run(tx, self.start)
        return self.walk

    def tokens(self, tx: Transaction) -> tuple[str, str]:
        """Return next_page_token and deeper_page_token of the page that was walked, "" where nothing is there."""
        walk, bounds = self.walk, self.walk.bounds
        if not (walk.has_next or walk.has_deeper):
            return "", ""
        newest = bounds.newest_event or tx.rows(_NEWEST)[0][0] or 1  # equal contents need no event
        deeper = bounds.deepest + self._step
        return (
            self._token(bounds.deepest, newest) if walk.has_next else "",
            self._token(deeper, newest) if walk.has_deeper else "",
        )

    _step: int = DEFAULT_HOPS

    def _token(self, deepest: int, newest: int) -> str:
        raw = _TOKEN.pack(*self.walk.end, min(deepest, 0xFFFFFFFF), newest, self._digest)
        return base64.urlsafe_b64encode(raw).decode("ascii").rstrip("=")


def read_request(request: Any, direction: Direction) -> Asked:
    """Return the page that a request asks for; raises InvalidArgument for anything that is wrong in it."""
    start = ref_of(request.node, "node")
    options: v1.LineageOptions = request.options
    names_alone = request.graph_only and options.detail == v1.LINEAGE_DETAIL_NAMES
    bounds = replace(bounds_of(options, request.page_size), names_alone=names_alone)
    step = bounds.deepest
    digest = _digest(request, direction)
    after = BEGINNING
    if request.page_token:
        after, deepest, newest = _place(request.page_token, digest)
        bounds = replace(bounds, deepest=deepest, newest_event=newest)
    return Asked(start, Walk(direction, bounds, endings_of(options), after), digest, step)


def _digest(request: Any, direction: Direction) -> bytes:
    """Return what the pages of one walk have in common; sizes and details may change from page to page."""
    options = v1.LineageOptions()
    options.CopyFrom(request.options)
    for field in ("max_hops", "max_duration_ms", "collapse_repeats", "detail"):
        options.ClearField(field)
    asked = v1.GetProvenanceRequest(node=request.node, options=options)
    return hashlib.sha256(direction.name.encode() + asked.SerializeToString(deterministic=True)).digest()[:8]


def _place(token: str, digest: bytes) -> tuple[Place, int, int]:
    try:
        raw = base64.b64decode(token.encode("ascii") + b"=" * (-len(token) % 4), altchars=b"-_", validate=True)
        hop, node_id, deepest, newest, given = _TOKEN.unpack(raw)
    except (binascii.Error, UnicodeError, struct.error) as error:
        raise InvalidArgument(_NOT_OURS) from error
    if given != digest or hop > deepest or newest <= 0:
        raise InvalidArgument(_NOT_OURS)
    return Place(hop, node_id), deepest, newest
