"""How large an operation may be: what is counted before anything is read, and what to change when it is too much.

The cost of an operation is the number of values it may fill: each field counts once for every object that it may be
asked of. A list in pages has `first` objects, a list of what an argument names as many as are named, and any other list
is taken to have LIST_SIZE. Lists of numbers count with what `points` asks for.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from graphql import (
    FieldNode,
    FragmentDefinitionNode,
    FragmentSpreadNode,
    GraphQLField,
    GraphQLInterfaceType,
    GraphQLObjectType,
    GraphQLSchema,
    InlineFragmentNode,
    OperationDefinitionNode,
    SelectionSetNode,
    get_named_type,
    is_list_type,
    is_non_null_type,
    value_from_ast_untyped,
)
from mlmd_schemas.counting import counted
from mlmd_schemas.errors import ResourceExhausted

LIST_SIZE = 10
"""Objects that a list without pages is taken to have."""
LARGEST_WALK = 1_000
"""Nodes of a walk over the graph when `pageSize` does not say."""
_POINTS = ("points", "curvePoints")
_POINTS_A_UNIT = 10
_PATH = 8
"""Fields of a path that an error writes out."""
_PAGES = "Connection"
_PAGE_FIELDS = frozenset({"nodes", "edges"})


@dataclass(frozen=True, slots=True)
class GraphqlLimits:
    """What is too much."""

    depth: int = 20
    """Fields inside each other."""
    cost: int = 200_000
    """Values that one operation may fill."""
    fields: int = 2_000
    """Fields that are written in an operation, fragments written out."""
    aliases: int = 50
    """Times that one field may be asked of one object under several names."""
    tokens: int = 10_000
    """Tokens of a document."""
    characters: int = 200_000
    """Characters of a document; large data belongs into variables."""
    values: int = 20_000
    """Values in a variable of a query, and of a mutation of whoever may not write."""
    written_values: int = 1_000_000
    """Values in a variable of a mutation, which are what is recorded."""


DEFAULT_LIMITS = GraphqlLimits()


class Meter:
    """Measures one operation; raises ResourceExhausted when it is too large."""

    def __init__(
        self,
        schema: GraphQLSchema,
        limits: GraphqlLimits,
        fragments: Mapping[str, FragmentDefinitionNode],
        variables: Mapping[str, Any],
    ) -> None:
        """Take the operation's fragments by name, and its variables as given, which say how long lists may be."""
        self._schema = schema
        self._limits = limits
        self._fragments = fragments
        self._variables = variables
        self._fields = 0
        self._path: list[str] = []
        self._most: tuple[int, str] = (0, "")
        """How many objects the largest list may have, and where it is."""

    def measure(self, operation: OperationDefinitionNode) -> int:
        """Return the cost of an operation."""
        root = self._schema.get_root_type(operation.operation)
        cost = self._of_selections(operation.selection_set, root, 1, 1, 1, {})
        if cost > self._limits.cost:
            objects, where = self._most
            most = f"`{where}` alone may be {objects:,} objects; " if objects > 1 else ""
            raise ResourceExhausted(
                f"cost: the operation may fill {cost:,} values and {self._limits.cost:,} are allowed; {most}ask for "
                "fewer with `first`, for fewer fields, or for fewer lists within lists."
            )
        return cost

    def _of_selections(
        self, selections: SelectionSetNode, parent: Any, times: int, page: int, depth: int, names: dict[str, int]
    ) -> int:
        """Return the cost of selections on `times` objects; `page` is the size when the parent is a page."""
        if depth > self._limits.depth:
            raise ResourceExhausted(
                f"depth: fields are nested deeper than {counted(self._limits.depth, 'level')}, below "
                f"`{_shortened(self._path)}`; ask for what is deeper in an operation of its own, by `node(id:)`."
            )
        cost = 0
        for selection in selections.selections:
            if isinstance(selection, FieldNode):
                self._count(selection.name.value, names)
                cost += self._of_field(selection, parent, times, page, depth)
            elif isinstance(selection, InlineFragmentNode):
                kind = self._type(selection.type_condition, parent)
                cost += self._of_selections(selection.selection_set, kind, times, page, depth, names)
            elif isinstance(selection, FragmentSpreadNode):
                self._count("...", {})
                fragment = self._fragments[selection.name.value]
                kind = self._type(fragment.type_condition, parent)
                cost += self._of_selections(fragment.selection_set, kind, times, page, depth, names)
        return cost

    def _count(self, name: str, names: dict[str, int]) -> None:
        self._fields += 1
        if self._fields > self._limits.fields:
            raise ResourceExhausted(
                f"fields: the operation writes more than the {self._limits.fields:,} allowed; split it into several."
            )
        names[name] = names.get(name, 0) + 1
        if names[name] > self._limits.aliases:
            raise ResourceExhausted(
                f"{name}: is asked more than {counted(self._limits.aliases, 'time')} of the same object; ask a "
                "list by `ids` or `filterQuery` instead, or split the operation."
            )

    def _of_field(self, field: FieldNode, parent: Any, times: int, page: int, depth: int) -> int:
        known = parent.fields.get(field.name.value) if isinstance(parent, _WITH_FIELDS) else None
        if known is None:
            return times  # __typename, or introspection, which has limits of its own
        arguments = self._arguments(field, known)
        size, inner_page = self._size(field.name.value, known, arguments, page)
        cost = times * (1 + self._points(arguments))
        if field.selection_set is not None:
            kind = get_named_type(known.type)
            self._path.append(field.name.value)
            if times * size > self._most[0]:
                self._most = (times * size, _shortened(self._path))
            cost += self._of_selections(field.selection_set, kind, times * size, inner_page, depth + 1, {})
            self._path.pop()
        return cost

    def _size(self, name: str, known: GraphQLField, arguments: Mapping[str, Any], page: int) -> tuple[int, int]:
        """Return how many objects a field may have, and the size of the page that it is."""
        if get_named_type(known.type).name.endswith(_PAGES):
            return 1, max(1, arguments.get("first") or 1)
        if not _is_list(known.type):
            return 1, max(page, arguments.get("pageSize") or _paged(known))
        if page > 1 and name in _PAGE_FIELDS:
            return page, 1
        named = [len(value) for value in arguments.values() if isinstance(value, list)]
        return max(named, default=1 if name in _PAGE_FIELDS else LIST_SIZE), 1

    def _points(self, arguments: Mapping[str, Any]) -> int:
        asked = (arguments.get(name) for name in _POINTS)
        return sum(max(0, number) // _POINTS_A_UNIT for number in asked if isinstance(number, int))

    def _arguments(self, field: FieldNode, known: GraphQLField) -> dict[str, Any]:
        given = {name: argument.default_value for name, argument in known.args.items()}
        for node in field.arguments:
            given[node.name.value] = _whole(value_from_ast_untyped(node.value, dict(self._variables)))
        if "first" in given and type(given["first"]) is not int:
            given["first"] = known.args["first"].default_value
        return given

    def _type(self, condition: Any, parent: Any) -> Any:
        return parent if condition is None else self._schema.get_type(condition.name.value)


def check_values(variables: Mapping[str, Any], most: int) -> None:
    """Raise ResourceExhausted for variables of too many values: converting each costs more than reading it did."""
    for name, value in variables.items():
        count, waiting = 0, [value]
        while waiting:
            one = waiting.pop()
            inner = one.values() if isinstance(one, dict) else one if isinstance(one, list) else ()
            count += len(inner)
            if count > most:
                raise ResourceExhausted(
                    f"variables.{name[:60]}: has more than the {most:,} values that a variable of this operation may "
                    "have; send fewer at a time."
                )
            waiting.extend(inner)


def _whole(value: Any) -> Any:
    """Return a number as the executor will read it: JSON has one kind, and 100.0 is an Int."""
    return int(value) if isinstance(value, float) and value.is_integer() else value


def _paged(known: GraphQLField) -> int:
    """Return the size of the pages of a field that takes `pageSize`, when it is not said."""
    return LARGEST_WALK if "pageSize" in known.args else 1


def _shortened(path: list[str]) -> str:
    return ".".join(path if len(path) <= _PATH else [*path[:2], "…", *path[-2:]])


def _is_list(kind: Any) -> bool:
    return is_list_type(kind.of_type if is_non_null_type(kind) else kind)


_WITH_FIELDS = (GraphQLObjectType, GraphQLInterfaceType)
