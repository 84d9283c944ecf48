"""The rule about values that are written in a document, with errors that name the argument."""

from typing import Any

from graphql import (
    ArgumentNode,
    GraphQLEnumType,
    GraphQLError,
    ObjectFieldNode,
    ValueNode,
    get_named_type,
)
from graphql.validation import ValidationContext, ValuesOfCorrectTypeRule

_MOST_SAID = 30


class NamedValues(ValuesOfCorrectTypeRule):
    """GraphQL's rule that a value has the type of its place; its errors begin with the place, `orderBy.field: …`."""

    def __init__(self, context: ValidationContext) -> None:
        super().__init__(context)
        self._place: list[str] = []
        self._node: ValueNode | None = None

    def enter_argument(self, node: ArgumentNode, *_: Any) -> None:
        """Note the argument that the values inside are of."""
        self._place = [node.name.value]

    def leave_argument(self, *_: Any) -> None:
        """Note that what follows is of no argument."""
        self._place = []

    def enter_object_field(self, node: ObjectFieldNode, *arguments: Any) -> None:
        """Note the field of an input object."""
        super().enter_object_field(node, *arguments)
        self._place.append(node.name.value)

    def leave_object_field(self, *_: Any) -> None:
        """Note the end of a field."""
        self._place.pop()

    def is_valid_value_node(self, node: ValueNode) -> None:
        """Check a value, remembering where it is written."""
        self._node = node
        super().is_valid_value_node(node)

    def report_error(self, error: GraphQLError) -> None:
        """Report an error with its place, and for an enum with the values that there are."""
        kind = get_named_type(self.context.get_input_type())
        message = error.message
        if isinstance(kind, GraphQLEnumType) and not self.context.hide_suggestions:
            names = list(kind.values)
            message += f" It has {', '.join(names[:_MOST_SAID])}{', …' if len(names) > _MOST_SAID else ''}."
        nodes = error.nodes or self._node
        place = ".".join(self._place)
        super().report_error(GraphQLError(f"{place}: {message}" if place else message, nodes))
