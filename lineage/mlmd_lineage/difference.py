"""DiffProvenance: why two nodes differ, each difference at the step where it entered.

The two graphs upstream are laid over each other, from the two nodes on: executions match by step, inputs by key. What
is the same artifact or holds the same files ends the comparison, since nothing that differs came through it. Where two
inputs differ and matching steps made them, the reason lies in these steps, and not in the one that read them.
"""

from collections import defaultdict, deque
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

from mlmd_metadata_store.transaction import Transaction
from mlmd_schemas.errors import InvalidArgument
from mlmd_schemas.pb.v1 import lineage_pb2 as v1
from mlmd_schemas.tables.v10 import Kind

from mlmd_lineage.ancestry import Ancestry, ancestry_of
from mlmd_lineage.ends import Ref
from mlmd_lineage.executions import code_of, parameters_of, ref_message
from mlmd_lineage.outcomes import metric_differences
from mlmd_lineage.walk_options import MOST_NODES, bounds_of, ref_of

Pair = tuple[int, int]
CODE_FIELDS = ("repository", "commit", "branch", "source", "image", "dirty")


@dataclass(slots=True)
class Overlay:
    """The two graphs, laid over each other."""

    ancestry: Ancestry
    steps: dict[Pair, list[v1.LineageDifference]] = field(default_factory=dict)
    """By two executions of one step, the differences that entered there."""
    lone: list[v1.StepDifference] = field(default_factory=list)
    """Where the nodes that were asked for were made by different steps."""
    _waiting: deque[Pair] = field(default_factory=deque)
    _seen: set[Pair] = field(default_factory=set)

    def lay(self, first: Ref, second: Ref) -> None:
        """Compare everything upstream of two nodes of one kind."""
        if first.kind is Kind.EXECUTION:
            self._await(first.id, second.id)
        elif not self._descend(first.id, second.id):
            self.lone += self._lone(first.id, second.id)
        while self._waiting:
            pair = self._waiting.popleft()
            self.steps[pair] = [*self._parameters(*pair), *self._code(*pair), *self._inputs(*pair)]

    def _await(self, first: int, second: int) -> None:
        if first != second and (first, second) not in self._seen:
            self._seen.add((first, second))
            self._waiting.append((first, second))

    def _descend(self, first: int, second: int) -> bool:
        """Go on with the steps that made two artifacts; return False when these are why they differ."""
        if self.ancestry.same_content(first, second):
            return True
        makers, others = self.ancestry.makers_by_step(first), self.ancestry.makers_by_step(second)
        shared = makers.keys() & others.keys()
        for step in sorted(shared):
            self._await(makers[step], others[step])
        return bool(shared)

    def _lone(self, first: int, second: int) -> Iterator[v1.StepDifference]:
        sides = (self.ancestry.makers_by_step(first), self.ancestry.makers_by_step(second))
        for step in sorted(sides[0].keys() | sides[1].keys()):
            there = [Ref(Kind.EXECUTION, side[step]) if step in side else None for side in sides]
            found = v1.StepDifference(step=step, hops=1)
            difference = v1.LineageDifference(aspect=v1.LINEAGE_ASPECT_STEP, name=step)
            if there[0]:
                found.first_execution.CopyFrom(ref_message(there[0]))
                difference.first_node.CopyFrom(found.first_execution)
            if there[1]:
                found.second_execution.CopyFrom(ref_message(there[1]))
                difference.second_node.CopyFrom(found.second_execution)
            found.differences.append(difference)
            yield found

    def _parameters(self, first: int, second: int) -> Iterator[v1.LineageDifference]:
        known = self.ancestry.executions
        sides = [parameters_of(known[i]) if i in known else {} for i in (first, second)]
        for name in sorted(sides[0].keys() | sides[1].keys()):
            before, after = sides[0].get(name), sides[1].get(name)
            if before != after:
                yield _difference(v1.LINEAGE_ASPECT_PARAMETER, name, before, after)

    def _code(self, first: int, second: int) -> Iterator[v1.LineageDifference]:
        known = self.ancestry.executions
        sides = [(code_of(known[i]) if i in known else None) or v1.CodeVersion() for i in (first, second)]
        for name in CODE_FIELDS:
            before, after = (getattr(side, name) for side in sides)
            if before != after:
                yield _difference(v1.LINEAGE_ASPECT_CODE, name, _code_value(before), _code_value(after))

    def _inputs(self, first: int, second: int) -> Iterator[v1.LineageDifference]:
        ancestry = self.ancestry
        for key, before, after in self._matched(ancestry.inputs.get(first, []), ancestry.inputs.get(second, [])):
            if before and after and self._descend(before, after):
                continue
            sides = [v1.LineageValue(string_value=ancestry.names.get(i, "")) if i else None for i in (before, after)]
            found = _difference(v1.LINEAGE_ASPECT_INPUT, key, *sides)
            if before:
                found.first_node.artifact_id = before
            if after:
                found.second_node.artifact_id = after
            yield found

    def _matched(
        self, before: Iterable[tuple[str, int]], after: Iterable[tuple[str, int]]
    ) -> Iterator[tuple[str, int, int]]:
        """Yield key and ids of inputs that match: by key, within one by content, then in order; 0: nothing matches."""
        sides: tuple[dict[str, list[int]], dict[str, list[int]]] = (defaultdict(list), defaultdict(list))
        for side, inputs in zip(sides, (before, after), strict=True):
            for key, artifact_id in inputs:
                side[key or self.ancestry.types.get(artifact_id, "")].append(artifact_id)
        for key in sorted(sides[0].keys() | sides[1].keys()):
            left, right = list(sides[0].get(key, ())), list(sides[1].get(key, ()))
            for one in list(left):
                twin = next((other for other in right if self.ancestry.same_content(one, other)), 0)
                if twin:
                    left.remove(one)
                    right.remove(twin)
            for place in range(max(len(left), len(right))):
                first, second = (side[place] if place < len(side) else 0 for side in (left, right))
                yield key, first, second


def diff_provenance(tx: Transaction, request: v1.DiffProvenanceRequest) -> v1.DiffProvenanceResponse:
    """Return why two artifacts or two executions differ, what entered first first.

    Raises InvalidArgument for a wrong request, NotFound when the store knows nothing of either.
    """
    first, second = ref_of(request.first, "first"), ref_of(request.second, "second")
    if first.kind is not second.kind:
        raise InvalidArgument(f"second: {second} is of another kind than {first}; name two of one kind.")
    bounds = bounds_of(request.options, MOST_NODES)
    ancestry = ancestry_of(tx, (first, second), bounds, request.options)
    overlay = Overlay(ancestry)
    overlay.lay(first, second)
    metrics = metric_differences(tx, overlay.steps)
    found = list(overlay.lone)
    for pair, differences in overlay.steps.items():
        differences += metrics.get(pair, [])
        if differences:
            sides = [v1.LineageRef(execution_id=execution_id) for execution_id in pair]
            node = ancestry.nodes.get(Ref(Kind.EXECUTION, pair[0]))
            found.append(
                v1.StepDifference(
                    step=ancestry.step(pair[0]),
                    first_execution=sides[0],
                    second_execution=sides[1],
                    differences=differences,
                    hops=node.hop if node is not None else 0,
                )
            )
    found.sort(key=lambda step: (-step.hops, step.step, step.first_execution.execution_id))
    is_same = first == second or (first.kind is Kind.ARTIFACT and ancestry.same_content(first.id, second.id))
    return v1.DiffProvenanceResponse(steps=found, is_cut=ancestry.is_cut, same_content=is_same)


def _difference(
    aspect: v1.LineageAspect, name: str, first: v1.LineageValue | None, second: v1.LineageValue | None
) -> v1.LineageDifference:
    return v1.LineageDifference(aspect=aspect, name=name, first=first, second=second)


def _code_value(given: str | bool) -> v1.LineageValue | None:
    if isinstance(given, bool):
        return v1.LineageValue(bool_value=given)
    return v1.LineageValue(string_value=given) if given else None
