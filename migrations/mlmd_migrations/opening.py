"""Opening a database: look, and only if something is missing take the lock, look again and mend it."""

from collections.abc import Iterable

from sqlalchemy import Connection, Engine
from sqlalchemy.exc import DBAPIError

from mlmd_migrations import obstacles, own_tables, simple_types, verdicts
from mlmd_migrations.catalog import add_indexes
from mlmd_migrations.facts import Facts, is_current, is_half_made, read_facts
from mlmd_migrations.history import LATEST
from mlmd_migrations.own_tables import TextMode
from mlmd_migrations.schema import Schema, schema_of
from mlmd_migrations.session import changing, explained, is_read_only, looking
from mlmd_migrations.steps import Goal, Step, change, creation

AS_THEY_ARE = Goal()
"""What opening makes of tables: today's version, nothing more."""
WHOLE = Goal(wide=True, extras=True)
"""What `migrate` makes of them."""


def open_schema(
    engine: Engine, *, enable_upgrade: bool = False, downgrade_to: int = -1, google_text: bool = False
) -> Schema:
    """Make sure that the database has schema version 10, the simple types and our own tables.

    An empty database gets them all; `google_text` leaves the character set of the tables to the MySQL database, as
    Google's server does, for teams that want to be able to go back to it. Versions 0 to 9 are upgraded when
    `enable_upgrade`. Google's tables are otherwise never altered. A read-only database at version 10 opens for reading.

    Raises SchemaError with the codes of the mlmd-write contract, section 9: ABORTED (partial schema, or somebody holds
    the lock), DATA_LOSS, FAILED_PRECONDITION (older without `enable_upgrade`, or newer), INTERNAL, UNAVAILABLE; after a
    downgrade (`downgrade_to` from 0 to 10) always CANCELLED, INVALID_ARGUMENT when there is nothing like it.
    """
    if downgrade_to >= 0:
        _downgrade(engine, downgrade_to)
    with looking(engine) as connection:
        facts = read_facts(connection)
        if is_current(connection, facts):
            return schema_of(facts)
    return _bring_to(engine, facts, AS_THEY_ARE, enable_upgrade, google_text)


def migrate(engine: Engine, *, downgrade_to: int = -1, google_text: bool = False) -> Schema:
    """Bring a database of any version to today's shape, with 64-bit integers (MySQL), all indexes and our own tables.

    Nobody else may use the database meanwhile. On MySQL an interrupted migration continues when it is run again; on
    SQLite it never happened. Raises SchemaError as `open_schema` does.
    """
    if downgrade_to >= 0:
        _downgrade(engine, downgrade_to)
    with looking(engine) as connection:
        facts = read_facts(connection)
    return _bring_to(engine, facts, WHOLE, True, google_text)


def plan(engine: Engine, *, downgrade_to: int = -1, google_text: bool = False) -> list[str]:
    """What `migrate` would do: each step's title and SQL. Alters nothing; empty when nothing is to be done.

    Raises SchemaError where `migrate` would refuse.
    """
    if downgrade_to >= 0:
        verdicts.check_target(downgrade_to)
    with looking(engine) as connection:
        facts = read_facts(connection)
        if downgrade_to >= 0:
            version = verdicts.check_downgrade(facts, downgrade_to)
            return [str(step) for step in _downgrade_steps(connection, facts, version, downgrade_to)]
        half_made = is_half_made(connection, facts)
        verdict = verdicts.judge(facts, half_made=half_made, enable_upgrade=True)
        text_mode = _text_mode(facts, verdict == "create", google_text)
        ours = own_tables.planned(facts.revision, facts.store, text_mode)
        steps = _steps(connection, facts, text_mode, verdict, WHOLE)
        missing = simple_types.SIMPLE_TYPES if verdict == "create" else _missing_types(connection, facts)
        types = [f"Insert the simple types {', '.join(name for name, _ in missing)}"] if missing else []
        return [*ours, *map(str, steps), *types]


def _missing_types(connection: Connection, facts: Facts) -> Iterable[tuple[str, int]]:
    known = "version" in facts.catalog["Type"].columns and "type_kind" in facts.catalog["Type"].columns
    return simple_types.missing_types(connection) if known else simple_types.SIMPLE_TYPES


def _bring_to(engine: Engine, seen: Facts, goal: Goal, enable_upgrade: bool, google_text: bool) -> Schema:
    own_tables.load(seen.revision, seen.catalog)
    try:
        with changing(engine) as connection:
            created = _mend(connection, goal, enable_upgrade, google_text)
            facts = read_facts(connection)
        with changing(engine) as connection:
            simple_types.insert_missing(connection)
    except DBAPIError as error:
        if is_read_only(error) and seen.versions == (LATEST,) and not seen.missing and goal is AS_THEY_ARE:
            return schema_of(seen)
        raise explained(error, "The database could not be prepared") from error
    return schema_of(facts, created)


def _mend(connection: Connection, goal: Goal, enable_upgrade: bool, google_text: bool) -> bool:
    facts = read_facts(connection)
    half_made = is_half_made(connection, facts)
    verdict = verdicts.judge(facts, half_made=half_made, enable_upgrade=enable_upgrade)
    text_mode = _text_mode(facts, verdict == "create", google_text)
    # What the steps refuse, they refuse before anything is made: MySQL would keep it.
    steps = _steps(connection, facts, text_mode, verdict, goal)
    # Our tables come first: the store's row then says for whom an interrupted creation was made.
    own_tables.complete(connection, facts.catalog, facts.revision, facts.store, text_mode)
    _run(connection, steps)
    return verdict == "create"


def _text_mode(facts: Facts, creating: bool, google_text: bool) -> TextMode:
    if facts.store is not None:
        return facts.store.text_mode
    return "google" if facts.database == "mysql" and (google_text or not creating) else "utf8"


def _steps(
    connection: Connection, facts: Facts, text_mode: TextMode, verdict: verdicts.Verdict, goal: Goal
) -> list[Step]:
    steps: list[Step] = []
    if verdict == "create":
        steps = creation(facts, text_mode)
    elif verdict == "upgrade" or goal is not AS_THEY_ARE:
        add_indexes(connection, facts.catalog)
        steps = change(facts, text_mode, facts.version or 0, goal)
    obstacles.check(connection, facts, steps)
    return steps


def _run(connection: Connection, steps: list[Step]) -> None:
    for step in steps:
        for statement in step.statements:
            try:
                connection.exec_driver_sql(statement)
            except DBAPIError as error:
                if is_read_only(error):
                    raise
                raise explained(error, f"The step “{step.title}” failed") from error


def _downgrade(engine: Engine, target: int) -> None:
    verdicts.check_target(target)
    try:
        with changing(engine) as connection:
            facts = read_facts(connection)
            version = verdicts.check_downgrade(facts, target)
            _run(connection, _downgrade_steps(connection, facts, version, target))
    except DBAPIError as error:
        raise explained(error, "The database could not be downgraded") from error
    raise verdicts.downgraded(target)


def _downgrade_steps(connection: Connection, facts: Facts, version: int, target: int) -> list[Step]:
    if target >= version:
        return []
    add_indexes(connection, facts.catalog)
    steps = change(facts, _text_mode(facts, False, False), version, Goal(target))
    obstacles.check(connection, facts, steps)
    return steps
