"""Documents: read and checked once, kept for the next time, and found again by their hash."""

import hashlib
import re
import threading
from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from graphql import (
    DocumentNode,
    FragmentDefinitionNode,
    FragmentSpreadNode,
    GraphQLError,
    GraphQLSchema,
    InlineFragmentNode,
    OperationDefinitionNode,
    OperationType,
    SelectionSetNode,
    parse,
    specified_rules,
    validate,
)
from graphql.validation import (
    ASTValidationRule,
    NoSchemaIntrospectionCustomRule,
    OverlappingFieldsCanBeMergedRule,
    ValidationContext,
    ValuesOfCorrectTypeRule,
)
from mlmd_schemas.errors import InvalidArgument, ResourceExhausted

from mlmd_api.graphql.limits import GraphqlLimits
from mlmd_api.graphql.literals import NamedValues

KEPT = 1_000
"""Documents that are kept; the one not used for longest goes first."""
LONGEST_KEPT = 20_000
"""Characters of the longest document that is kept."""
MOST_ERRORS = 10
COMPARED = 50_000
"""Steps that comparing fields of one name may take, two a pair: graphql-core's own limit is ten seconds of a core."""
_ABORTED = "Validation aborted."
"""What graphql-core says of a document that it gave up checking."""
_HASH = re.compile(r"[0-9a-f]{64}")


@dataclass(frozen=True, slots=True)
class Document:
    """A document that is valid."""

    node: DocumentNode
    operations: Mapping[str, OperationDefinitionNode]
    fragments: Mapping[str, FragmentDefinitionNode]

    def operation(self, name: str | None) -> OperationDefinitionNode:
        """Return the operation to run; raises InvalidArgument when the name does not say which."""
        if not name:
            if len(self.operations) == 1:
                return next(iter(self.operations.values()))
            raise InvalidArgument(
                f"operationName: missing, and the document has {len(self.operations)} operations; name one of them."
            )
        if name not in self.operations:
            raise InvalidArgument(f"operationName: the document has no operation {name[:60]!r}.")
        return self.operations[name]

    def root_fields(self, operation: OperationDefinitionNode) -> int:
        """Return how many fields an operation has at its root, fragments written out."""
        return _fields(operation.selection_set, self.fragments)


def _fields(selections: SelectionSetNode, fragments: Mapping[str, FragmentDefinitionNode]) -> int:
    count = 0
    for one in selections.selections:
        if isinstance(one, FragmentSpreadNode):
            count += _fields(fragments[one.name.value].selection_set, fragments)
        elif isinstance(one, InlineFragmentNode):
            count += _fields(one.selection_set, fragments)
        else:
            count += 1
    return count


class InvalidDocument(Exception):
    """A document that cannot be run; `errors` say where and why."""

    def __init__(self, errors: list[GraphQLError]) -> None:
        super().__init__(errors[0].message)
        self.errors = errors


class NotRegistered(Exception):
    """A hash that no document is known for; the client sends the document with the hash, once."""


class BoundedMerging(OverlappingFieldsCanBeMergedRule):
    """Whether fields of one name are the same field, asked of no more pairs than a document of sense has."""

    def __init__(self, context: ValidationContext) -> None:
        super().__init__(context)
        self.rule_context.remaining_complexity_budget = COMPARED


_OURS: dict[type[ASTValidationRule], type[ASTValidationRule]] = {
    ValuesOfCorrectTypeRule: NamedValues,
    OverlappingFieldsCanBeMergedRule: BoundedMerging,
}


class Documents:
    """The documents of one process; safe to use from many threads."""

    def __init__(self, schema: GraphQLSchema, limits: GraphqlLimits, introspection: bool) -> None:
        """Take what a document may have at most; without `introspection` questions about the schema are refused."""
        self._schema = schema
        self._limits = limits
        self._introspection = introspection
        self._rules = [_OURS.get(rule, rule) for rule in specified_rules]
        if not introspection:
            self._rules.append(NoSchemaIntrospectionCustomRule)
        self._kept: OrderedDict[str, tuple[str, Document]] = OrderedDict()
        self._lock = threading.Lock()

    def find(self, text: str | None, extensions: Any) -> Document:
        """Return the document that a request names by its text, its hash or both.

        Raises InvalidArgument when it names none or the hash is another's, NotRegistered for an unknown hash,
        InvalidDocument for one that cannot be run, ResourceExhausted for one that is too long.
        """
        digest = _digest(extensions)
        if text is None:
            if digest is None:
                raise InvalidArgument("query: missing; send a GraphQL document, or the hash of one sent before.")
            return self._known(digest)
        if len(text) > self._limits.characters:
            raise ResourceExhausted(
                f"query: the document has {len(text):,} characters and {self._limits.characters:,} are allowed; put "
                "data into variables."
            )
        actual = hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()
        if digest not in (None, actual):
            raise InvalidArgument(f"persistedQuery.sha256Hash: is not that of the query, which is {actual}.")
        try:
            return self._known(actual)
        except NotRegistered:
            return self._keep(actual, text, self._checked(text))

    def text_of(self, extensions: Any) -> str:
        """Return the document's text of a hash that is known, "" otherwise."""
        try:
            digest = _digest(extensions)
        except InvalidArgument:
            return ""
        found = self._kept.get(digest) if digest else None
        return found[0] if found else ""

    def _known(self, digest: str) -> Document:
        with self._lock:
            found = self._kept.get(digest)
            if found is None:
                raise NotRegistered
            self._kept.move_to_end(digest)
            return found[1]

    def _keep(self, digest: str, text: str, document: Document) -> Document:
        """Keep a document, if it is not too long: only valid ones come here, under the hash that they have."""
        if len(text) <= LONGEST_KEPT:
            with self._lock:
                self._kept[digest] = (text, document)
                while len(self._kept) > KEPT:
                    self._kept.popitem(last=False)
        return document

    def _checked(self, text: str) -> Document:
        try:
            node = parse(text, max_tokens=self._limits.tokens)
            errors = validate(
                self._schema, node, self._rules, max_errors=MOST_ERRORS, hide_suggestions=not self._introspection
            )
        except GraphQLError as error:
            raise InvalidDocument([error]) from None
        except RecursionError:
            raise ResourceExhausted("query: the document is nested too deeply to be read; flatten it.") from None
        if errors and errors[0].message == _ABORTED:
            raise ResourceExhausted(
                "query: the document says the same fields too often, or has fragments within too many others, to be "
                "checked; write each field of an object once."
            )
        if errors:
            raise InvalidDocument(errors)
        operations = [one for one in node.definitions if isinstance(one, OperationDefinitionNode)]
        if not operations:
            raise InvalidArgument("query: the document has no operation; write a query or a mutation.")
        return Document(
            node,
            {one.name.value if one.name else "": one for one in operations},
            {one.name.value: one for one in node.definitions if isinstance(one, FragmentDefinitionNode)},
        )


def is_mutation(operation: OperationDefinitionNode) -> bool:
    """Tell whether an operation writes."""
    return operation.operation is OperationType.MUTATION


def _digest(extensions: Any) -> str | None:
    """Return the hash that a request carries in Apollo's form; raises InvalidArgument for another."""
    persisted = extensions.get("persistedQuery") if isinstance(extensions, dict) else None
    if persisted is None:
        return None
    digest = persisted.get("sha256Hash") if isinstance(persisted, dict) else None
    if not isinstance(digest, str) or not _HASH.fullmatch(digest.lower()) or persisted.get("version") != 1:
        raise InvalidArgument(
            "extensions.persistedQuery: must be {version: 1, sha256Hash: the SHA-256 of the query in hexadecimal}."
        )
    return digest.lower()
