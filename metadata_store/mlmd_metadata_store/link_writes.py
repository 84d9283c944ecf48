"""Links into the database: membership in contexts, and contexts in contexts (mlmd-write contract, 4.11, 4.12)."""

from collections.abc import Collection, Iterable, Sequence
from functools import partial

import sqlalchemy as sa
from mlmd_schemas.errors import AlreadyExists, InvalidArgument
from mlmd_schemas.pb import metadata_store_pb2 as pb
from mlmd_schemas.pb import metadata_store_service_pb2 as service
from mlmd_schemas.tables.own import STORE
from mlmd_schemas.tables.v10 import ASSOCIATION, ATTRIBUTION, PARENT_CONTEXT, Kind

from mlmd_metadata_store.dialects import UniqueViolation
from mlmd_metadata_store.link_reads import LINK_READ_METHODS
from mlmd_metadata_store.node_ids import existing_ids
from mlmd_metadata_store.one_by_one import one_by_one
from mlmd_metadata_store.rpc import mlmd_write
from mlmd_metadata_store.transaction import Transaction, chunks

Link = tuple[int, int]
"""Context id and the id of its artifact or execution; among contexts, child id and parent id."""

_MEMBERS = {Kind.ARTIFACT: (ATTRIBUTION, "artifact_id"), Kind.EXECUTION: (ASSOCIATION, "execution_id")}
_THERE = {
    kind: sa.select(table.c.context_id, table.c[member]).where(
        table.c.context_id.in_(sa.bindparam("context_ids", expanding=True)),
        table.c[member].in_(sa.bindparam("ids", expanding=True)),
    )
    for kind, (table, member) in _MEMBERS.items()
}
SPARSE = 4
"""Links are looked up as contexts times members unless that would be this many times the links."""
FEW = 10_000
"""Up to so many pairs the lookup does no harm however sparse the links are."""
_PARENTS = sa.select(PARENT_CONTEXT.c.context_id, PARENT_CONTEXT.c.parent_context_id).where(
    PARENT_CONTEXT.c.context_id.in_(sa.bindparam("ids", expanding=True))
)
_STORE_ROW = sa.select(STORE.c.id).with_for_update()


def store_links(
    tx: Transaction,
    attributions: Iterable[Link],
    associations: Iterable[Link],
    *,
    fresh_artifacts: Collection[int] = (),
    fresh_executions: Collection[int] = (),
) -> None:
    """Link contexts with artifacts and with executions; links that are there already stay as they are.

    Whether the ids exist is the caller's to know. Nodes that this transaction made can have no links yet: those of
    `fresh_*` are not looked for.
    """
    _store_members(tx, Kind.ARTIFACT, attributions, fresh_artifacts)
    _store_members(tx, Kind.EXECUTION, associations, fresh_executions)


def _store_members(tx: Transaction, kind: Kind, links: Iterable[Link], fresh: Collection[int] = ()) -> None:
    wanted = set(links)
    old = {link for link in wanted if link[1] not in fresh}
    # An INSERT that only meets rows that are there takes their locks and uses up ids on InnoDB, so it is not sent.
    missing = sorted(wanted - _links_there(tx, kind, old)) if old else sorted(wanted)
    if missing:
        table, member = _MEMBERS[kind]
        tx.insert_ignore(table, ("context_id", member), missing, later=True)


def _links_there(tx: Transaction, kind: Kind, links: set[Link]) -> set[Link]:
    """Return links that are there already, perhaps not all of them and perhaps more than these."""
    contexts, members = {context_id for context_id, _ in links}, {member for _, member in links}
    if len(contexts) * len(members) > max(FEW, SPARSE * len(links)):
        return set()
    there: set[Link] = set()
    for chunk in chunks(sorted(contexts)):
        there.update(map(tuple, tx.rows_in(_THERE[kind], members, context_ids=chunk)))
    return there


def put_members(
    tx: Transaction, attributions: Sequence[pb.Attribution], associations: Sequence[pb.Association]
) -> None:
    """Link existing contexts with existing artifacts and executions.

    Raises InvalidArgument for a context, artifact or execution that is not there.
    """
    if len(attributions) + len(associations) > 1 and not tx.careful:
        tx.setwise = True
    for kind, edges in ((Kind.ARTIFACT, attributions), (Kind.EXECUTION, associations)):
        member = _MEMBERS[kind][1]
        links = [(edge.context_id, getattr(edge, member)) for edge in edges]
        noun = "attribution" if kind is Kind.ARTIFACT else "association"
        one_by_one(noun, [[link] for link in links] if tx.careful else [links], partial(_put_some, tx, kind))


def _put_some(tx: Transaction, kind: Kind, links: Sequence[Link]) -> None:
    _check_ends(tx, kind, links)
    _store_members(tx, kind, links)


def _check_ends(tx: Transaction, kind: Kind, links: Sequence[Link]) -> None:
    for place, end in ((0, Kind.CONTEXT), (1, kind)):
        wanted = {link[place] for link in links}
        missing = wanted - existing_ids(tx, end, wanted) if wanted else ()
        if missing:
            noun = end.name.lower()
            raise InvalidArgument(f"{noun}_id: there is no {noun} with id {min(missing)}; put the {noun} first.")


def put_parents(tx: Transaction, links: Sequence[pb.ParentContext]) -> None:
    """Make contexts the parents of others.

    Raises InvalidArgument for a context that is not there and for a link that would close a cycle, AlreadyExists for a
    link that is there.
    """
    if not links:
        return
    # Two calls that each add half of a cycle must not miss one another.
    tx.rows(_STORE_ROW)
    if len(links) > 1 and not tx.careful:
        tx.setwise = True
    one_by_one("link", [[link] for link in links] if tx.careful else [links], partial(_put_parents, tx))


def _put_parents(tx: Transaction, links: Sequence[pb.ParentContext]) -> None:
    _check_both_given(links)
    pairs = [(link.child_id, link.parent_id) for link in links]
    there = existing_ids(tx, Kind.CONTEXT, {context_id for pair in pairs for context_id in pair})
    for child, parent in pairs:
        _check_two_contexts(child, parent, there)
    _check_no_cycle(tx, pairs)
    try:
        tx.insert(PARENT_CONTEXT, ("context_id", "parent_context_id"), pairs)
    except UniqueViolation as error:
        child, parent = pairs[0]
        raise AlreadyExists(f"Context {parent} is a parent of context {child} already.") from error


def _check_both_given(links: Sequence[pb.ParentContext]) -> None:
    for link in links:
        for field in ("parent_id", "child_id"):
            if not link.HasField(field):
                raise InvalidArgument(f"parent_contexts: {field} is missing; a link needs a parent and a child.")


def _check_two_contexts(child: int, parent: int, there: set[int]) -> None:
    if child == parent and child in there:
        raise InvalidArgument(f"parent_contexts: context {child} cannot be its own parent.")
    for field, context_id in (("parent_id", parent), ("child_id", child)):
        if context_id not in there:
            raise InvalidArgument(f"parent_contexts: {field}: there is no context with id {context_id}; put it first.")


def _check_no_cycle(tx: Transaction, pairs: Sequence[Link]) -> None:
    """Raise InvalidArgument when the links, with all that lead up from them, would run in a circle."""
    graph = _ancestry(tx, {parent for _, parent in pairs})
    for child, parent in pairs:
        graph.setdefault(child, set()).add(parent)
    for child, parent in pairs:
        if len(pairs) == 1 and _reaches(graph, parent, child):
            raise InvalidArgument(
                f"parent_contexts: context {child} is above context {parent} already, so {parent} cannot become its "
                "parent."
            )
    if len(pairs) > 1 and not _is_acyclic(graph):
        raise InvalidArgument("parent_contexts: the links would run in a circle.")


def _ancestry(tx: Transaction, ids: Iterable[int]) -> dict[int, set[int]]:
    """Return the parents of these contexts and of everything above them: one statement for each generation."""
    parents: dict[int, set[int]] = {}
    seen = set(ids)
    generation = set(seen)
    while generation:
        above: set[int] = set()
        for child, parent in tx.rows_in(_PARENTS, generation):
            parents.setdefault(child, set()).add(parent)
            above.add(parent)
        generation = above - seen
        seen |= above
    return parents


def _reaches(graph: dict[int, set[int]], start: int, goal: int) -> bool:
    seen = {start}
    waiting = [start]
    while waiting:
        for parent in graph.get(waiting.pop(), ()):
            if parent == goal:
                return True
            if parent not in seen:
                seen.add(parent)
                waiting.append(parent)
    return False


def _is_acyclic(graph: dict[int, set[int]]) -> bool:
    """Take away, again and again, what nothing is below; a circle remains."""
    below: dict[int, int] = dict.fromkeys(graph, 0)
    for parents in graph.values():
        for parent in parents:
            below[parent] = below.get(parent, 0) + 1
    free = [context for context, count in below.items() if count == 0]
    gone = 0
    while free:
        gone += 1
        for parent in graph.get(free.pop(), ()):
            below[parent] -= 1
            if below[parent] == 0:
                free.append(parent)
    return gone == len(below)


def _put_attributions_and_associations(
    tx: Transaction, request: service.PutAttributionsAndAssociationsRequest
) -> service.PutAttributionsAndAssociationsResponse:
    put_members(tx, request.attributions, request.associations)
    return service.PutAttributionsAndAssociationsResponse()


def _put_parent_contexts(
    tx: Transaction, request: service.PutParentContextsRequest
) -> service.PutParentContextsResponse:
    put_parents(tx, request.parent_contexts)
    return service.PutParentContextsResponse()


LINK_METHODS = (
    mlmd_write("PutAttributionsAndAssociations", _put_attributions_and_associations),
    mlmd_write("PutParentContexts", _put_parent_contexts),
    *LINK_READ_METHODS,
)
