"""Filters that mean the same to both servers, and filters that both refuse."""

from mlmd_schemas.tables.v10 import Kind

from tests.differential.source import Source

COMPARISONS = ("=", "!=", "<", "<=", ">", ">=", "<>")
TEXTS = (
    "'a'",
    "'b'",
    "''",
    "'A'",
    '"it\'s"',
    "'it\\'s'",
    "'u'",
    "'gs://b/1'",
    "'x'",
    "'C'",
    "'E'",
    "'D'",
    "r'a'",
    "'é'",
)
PATTERNS = ("'%'", "'a%'", "'_'", "'%s'", "''", "'mlmd%'")
WHOLES = ("1", "2", "0", "-1", "3", "0x2", "1003", "1 + 1", "99", "9007199254740993", "9007199254740993.0", "2.")
REALS = ("0.5", "1.0", "-1.25", "0", "3", "1e6", "9007199254740993", ".5", "3.")
_SHARED = {
    "id": "int",
    "type_id": "int",
    "name": "text",
    "external_id": "text",
    "type": "text",
    "create_time_since_epoch": "int",
    "last_update_time_since_epoch": "int",
}
COLUMNS = {Kind.ARTIFACT: _SHARED | {"uri": "text"}, Kind.EXECUTION: _SHARED, Kind.CONTEXT: _SHARED}
PROPERTIES = {
    "properties.i.int_value": "int",
    "properties.d.double_value": "real",
    "properties.s.string_value": "text",
    "properties.b.bool_value": "bool",
    "properties.`q.r`.int_value": "int",
    "properties.nope.int_value": "int",
    "properties.i.int_VALUE": "int",
    "custom_properties.x.string_Value": "text",
    "custom_properties.x.int_value": "int",
    "custom_properties.x.string_value": "text",
    "custom_properties.x.double_value": "real",
    "custom_properties.y.bool_value": "bool",
    "custom_properties.`my param`.string_value": "text",
    "custom_properties.`x.y`.int_value": "int",
    "custom_properties.`i i`.string_value": "text",
    "custom_properties.`é`.double_value": "real",
    "properties.`é'`.string_value": "text",
}
_MEMBERSHIP = {
    "contexts_a.id": "int",
    "contexts_a.name": "text",
    "contexts_b.type": "text",
    "contexts_b.create_time_since_epoch": "int",
    "events_0.milliseconds_since_epoch": "int",
}
NEIGHBOURS = {
    Kind.ARTIFACT: _MEMBERSHIP | {"events_0.execution_id": "int", "events_1.execution_id": "int"},
    Kind.EXECUTION: _MEMBERSHIP | {"events_0.artifact_id": "int", "events_1.artifact_id": "int"},
    Kind.CONTEXT: {
        "parent_contexts_a.id": "int",
        "parent_contexts_a.name": "text",
        "child_contexts_a.id": "int",
        "child_contexts_b.type": "text",
        "artifacts_a.id": "int",
        "artifacts_a.uri": "text",
        "artifacts_b.name": "text",
        "executions_a.id": "int",
        "executions_a.create_time_since_epoch": "int",
    },
}
ENUMS: dict[Kind, tuple[tuple[str, tuple[str, ...]], ...]] = {
    Kind.ARTIFACT: (("state", ("LIVE", "PENDING", "UNKNOWN", "DELETED")), ("events_0.type", ("INPUT", "OUTPUT"))),
    Kind.EXECUTION: (
        ("last_known_state", ("RUNNING", "COMPLETE", "UNKNOWN", "CACHED")),
        ("events_0.type", ("INPUT", "DECLARED_OUTPUT")),
    ),
    Kind.CONTEXT: (("artifacts_a.state", ("LIVE", "PENDING")), ("executions_a.last_known_state", ("RUNNING", "NEW"))),
}
FUNCTIONS = (
    "UPPER(name) = 'A'",
    "LOWER(name) = 'a'",
    "LENGTH(name) = 1",
    "SUBSTR(name, 1, 1) = 'a'",
    "COALESCE(name, 'zz') = 'zz'",
    "CASE WHEN id = 1 THEN TRUE ELSE FALSE END",
    "ABS(id) = 1",
    "IFNULL(external_id, 'x') = 'x'",
    "NULLIF(id, 1) IS NULL",
    "TRIM(name) = 'a'",
    "REPLACE(name, 'a', 'b') = 'b'",
    "id * 2 = 4",
    "id & 1 = 1",
    "(id = 1) = (name = 'a')",
    "(id = 1) IS TRUE",
    "(name = 'a') IS UNKNOWN = FALSE",
    "(name = 'a') IS NOT UNKNOWN IN (TRUE, id = 2)",
    r"`\x69d` = 1",
    "name IN (external_id, 'a')",
    "SIGN(id - 2) = -1",
    "SUBSTR(name, 2) = ''",
    "LTRIM(name) != name",
    "NULLIF(name, 'a') IS NULL",
    "CASE id WHEN 1 THEN 5 WHEN 2 THEN type_id END > 4",
    "CASE WHEN id > 1 THEN name ELSE external_id END = 'a'",
    "id + type_id = 12",
    "(id = 1) IS NOT TRUE",
    "(name = 'a') IS FALSE",
    "name < external_id",
    "-id > -3",
    "create_time_since_epoch <= last_update_time_since_epoch",
    "id = 1.OR id = 2",
    "CAST(id AS `INT64`) = 1",
    "NULLIF(id, 2.0) IS NULL",
    "CASE id WHEN 1.0 THEN TRUE END",
)
REFUSED = (
    "id = '1'",
    "name = 1",
    "id = NULL",
    "NULL",
    "id",
    "foo = 1",
    "name = a",
    "id == 1",
    "1 < id < 3",
    "id IS NULL = FALSE",
    "TRUE = (id = 1) IS UNKNOWN",
    r"`i\d` = 1",
    "id IN ()",
    "id IN (1,)",
    "id = 1 AND",
    "(id = 1",
    "name = 'a';",
    "id = ?",
    "FOO(id) = 1",
    "COUNT(id) = 1",
    "id % 2 = 1",
    "name = 'it''s'",
    " ",
    "state = live",
    "state = 'LIVE'",
    "events_0.path = 'x'",
    "properties.i = 1",
    "properties.i.int = 1",
    "properties.i.INT_VALUE = 1",
    "properties.i.Int_value = 1",
    "Properties.i.int_value = 1",
    "properties.i.int_value = '1'",
    "properties.t.struct_value = 'x'",
    "contexts_A.id = 1 AND contexts_a.id = 1",
    "contexts_a.properties.x.int_value = 1",
    "id = 99999999999999999999",
    "name LIKE 1",
    "name ILIKE 'a%'",
    "id=1AND name='a'",
    "id + NULL = 1",
    "name LIKE NULL",
    "NOT NULL",
    "id IN (1, 9223372036854775808)",
    "id = 1 # c\r= 1",
    "id\u1680= 1",
)
SPACES = (*(" ",) * 12, "  ", "\t", "\n", "\xa0", "\u3000", " /* c */ ", " -- c\n", " # c\r")
EXPRESSIONS = {
    "int": ("{} + 1", "{} * 2", "-{}", "({})", "ABS({})", "{} & 3", "COALESCE({}, 7)"),
    "real": ("{} * 2", "-{}", "({})", "{} + 0.5"),
    "text": ("({})", "TRIM({})", "COALESCE({}, 'zz')", "IFNULL({}, '')"),
}


class Filters:
    """Filters for nodes of one kind."""

    def __init__(self, source: Source, kind: Kind) -> None:
        self.source = source
        self.kind = kind
        self._enums = list(ENUMS[kind])

    def filter(self) -> str:
        """Return a filter; one in ten is refused."""
        if self.source.chance(10):
            return self.source.pick(REFUSED)
        return self._logic(2)

    def _logic(self, depth: int) -> str:
        source = self.source
        if depth == 0 or source.chance(55):
            return self._atom()
        space = source.pick(SPACES)
        if source.chance(20):
            return f"NOT{space}{self._part(depth)}"
        word = source.pick(("AND", "OR", "and", "Or"))
        return f"{self._part(depth)}{space}{word}{source.pick(SPACES)}{self._part(depth)}"

    def _part(self, depth: int) -> str:
        """Return a part of a larger filter; without parentheses, precedence says what belongs together."""
        part = self._logic(depth - 1)
        return f"({part})" if self.source.chance(60) else part

    def _atom(self) -> str:
        source = self.source
        choice = source.below(100)
        if choice < 50:
            return self._about(*source.pick(tuple(COLUMNS[self.kind].items())))
        if choice < 70:
            return self._about(*source.pick(tuple(PROPERTIES.items())))
        if choice < 85:
            return self._about(*source.pick(tuple(NEIGHBOURS[self.kind].items())))
        if choice < 93 and self._enums:
            return self._about_enum(*self._enums.pop(source.below(len(self._enums))))
        return source.pick((*FUNCTIONS, "TRUE", "FALSE", "1 = 1", "id < 3 -- comment\n"))

    def _about(self, column: str, sort: str) -> str:
        source = self.source
        if sort == "bool":
            return source.pick((column, f"{column} = TRUE", f"NOT {column}", f"{column} IS NULL", f"{column} != false"))
        literals = {"int": WHOLES, "real": REALS, "text": TEXTS}[sort]
        if source.chance(15):
            column = source.pick(EXPRESSIONS[sort]).format(column)
        form = source.below(10)
        if form == 0:
            return f"{source.pick(literals)} {source.pick(COMPARISONS)} {column}"
        if form < 5:
            return (
                f"{column}{source.pick(SPACES)}{source.pick(COMPARISONS)}{source.pick(SPACES)}{source.pick(literals)}"
            )
        if form == 5:
            return f"{column} IS {source.pick(('', 'NOT '))}NULL"
        if form == 6:
            return f"{column} BETWEEN {source.pick(literals)} AND {source.pick(literals)}"
        if form == 7 and sort == "text":
            return f"{column} {source.pick(('', 'NOT '))}LIKE {source.pick(PATTERNS)}"
        listed = ", ".join(source.pick(literals) for _ in range(1 + source.below(3)))
        return f"{column} {source.pick(('', 'NOT '))}IN ({listed})"

    def _about_enum(self, column: str, names: tuple[str, ...]) -> str:
        source = self.source
        one, other = source.pick(names), source.pick(names)
        negated = () if self.kind is Kind.CONTEXT else (f"{column} != {one}", f"{column} NOT IN ({one}, {other})")
        numbers = (f"{column} > 1", f"{column} <> 2", f"{column} IS NULL", f"{column} BETWEEN 1 AND 2")
        choices: tuple[str, ...] = (f"{column} = {one}", f"{column} IN ({one}, {other})", *negated, *numbers)
        return source.pick(choices)
