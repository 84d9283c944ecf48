"""Makes tests/data/old_schemas: `python -m tests.migrations.make_old_schemas`.

Google's library fills a database at version 10 and downgrades it to each older one. What its downgrades would not leave
behind, but old servers did, is added by hand: equal events and steps of paths that lead nowhere.
"""

import contextlib
import sqlite3
import subprocess
import tempfile
from pathlib import Path

import sqlalchemy as sa
from mlmd_schemas.pb import metadata_store_pb2 as mlmd
from mlmd_schemas.pb import metadata_store_service_pb2 as service

from tests.migrations.databases import DUMPS, engine_of, execute, reference_config
from tests.reference.client import Reference
from tests.services.mariadb import MariaDB

EQUAL_EVENTS = (
    "INSERT INTO Event (id, artifact_id, execution_id, type, milliseconds_since_epoch) VALUES (50, 1, 1, 3, 5)",
    "INSERT INTO Event (id, artifact_id, execution_id, type, milliseconds_since_epoch) VALUES (51, 1, 1, 3, 6)",
    "INSERT INTO EventPath (event_id, is_index_step, step_index, step_key) VALUES (50, 1, 7, NULL)",
    "INSERT INTO EventPath (event_id, is_index_step, step_index, step_key) VALUES (51, 0, NULL, 'last')",
    "INSERT INTO EventPath (event_id, is_index_step, step_index, step_key) VALUES (-1, 0, NULL, 'nowhere')",
)
UNIQUE_EVENTS_SINCE = 8


def fill(reference: Reference) -> None:
    """Put a few of everything: all kinds of value, versions, parents, text beyond ASCII."""
    types = service.PutTypesRequest()
    dataset = types.artifact_types.add(name="Dataset", description="Größe", base_type=mlmd.ArtifactType.DATASET)
    for name, kind in (("span", mlmd.INT), ("share", mlmd.DOUBLE), ("note", mlmd.STRING), ("flag", mlmd.BOOLEAN)):
        dataset.properties[name] = kind
    types.artifact_types.add(name="Dataset", version="2", external_id="type-2")
    types.execution_types.add(name="Trainer").properties["rate"] = mlmd.DOUBLE
    types.context_types.add(name="Run").properties["owner"] = mlmd.STRING
    made = reference.put("PutTypes", types)
    artifacts = service.PutArtifactsRequest()
    first = artifacts.artifacts.add(type_id=made.artifact_type_ids[0], name="café", uri="s3://data/ü", external_id="a1")
    first.state = mlmd.Artifact.LIVE
    first.properties["span"].int_value = 2_000_000_000
    first.properties["share"].double_value = 0.25
    first.properties["note"].string_value = "naïve 数据 🙂"
    first.properties["flag"].bool_value = True
    first.custom_properties["any"].proto_value.type_url = "type.example/x"
    first.custom_properties["tree"].struct_value["k"] = 1
    artifacts.artifacts.add(type_id=made.artifact_type_ids[1])
    ids = reference.put("PutArtifacts", artifacts).artifact_ids
    executions = service.PutExecutionsRequest()
    step = executions.executions.add(type_id=made.execution_type_ids[0], name="train")
    step.last_known_state = mlmd.Execution.COMPLETE
    step.properties["rate"].double_value = 1e-3
    step.custom_properties["tries"].int_value = -1
    (execution,) = reference.put("PutExecutions", executions).execution_ids
    contexts = service.PutContextsRequest()
    contexts.contexts.add(type_id=made.context_type_ids[0], name="run-1").properties["owner"].string_value = "zoë"
    contexts.contexts.add(type_id=made.context_type_ids[0], name="run-2")
    run, child = reference.put("PutContexts", contexts).context_ids
    links = service.PutAttributionsAndAssociationsRequest()
    links.attributions.add(artifact_id=ids[0], context_id=run)
    links.associations.add(execution_id=execution, context_id=run)
    reference.put("PutAttributionsAndAssociations", links)
    parents = service.PutParentContextsRequest()
    parents.parent_contexts.add(parent_id=run, child_id=child)
    reference.put("PutParentContexts", parents)
    events = service.PutEventsRequest()
    event = events.events.add(artifact_id=ids[0], execution_id=execution, type=mlmd.Event.INPUT)
    event.milliseconds_since_epoch = 4
    event.path.steps.add(key="examples")
    event.path.steps.add(index=0)
    reference.put("PutEvents", events)


def dump_sqlite(engine: sa.Engine) -> str:
    """Return the database as SQL."""
    with contextlib.closing(sqlite3.connect(engine.url.database or "")) as connection:
        return "\n".join(
            " ".join(line.split()) if line.startswith("CREATE") else line for line in connection.iterdump()
        )


def dump_mariadb(engine: sa.Engine, socket: Path) -> str:
    """Return the database as SQL."""
    command = ["mariadb-dump", "--no-defaults", "-uroot", f"--socket={socket}", "--compact", "--no-tablespaces"]
    command += ["--default-character-set=utf8mb4", "--hex-blob", engine.url.database or ""]
    text = subprocess.run(command, check=True, capture_output=True, encoding="utf-8").stdout
    return "\n".join(line for line in text.splitlines() if not line.startswith("/*")) + "\n"


def make(reference: Reference, engine: sa.Engine, version: int) -> None:
    """Turn an empty database into one of `version`."""
    config = reference_config(engine)
    opened = reference.open(config)
    assert not opened.message, opened.message
    fill(reference)
    reference.open(config, mlmd.MigrationOptions(downgrade_to_schema_version=version))
    reference.release()
    if version < UNIQUE_EVENTS_SINCE:
        execute(engine, *EQUAL_EVENTS)


def main() -> None:
    """Write the dumps of all versions, on both databases."""
    with tempfile.TemporaryDirectory() as folder:
        server = MariaDB(Path(folder) / "mariadb")
        server.start()
        numbers = iter(range(1000))

        def scratch() -> mlmd.ConnectionConfig:
            return reference_config(engine_of(f"sqlite:///{folder}/scratch_{next(numbers)}.db"))

        reference = Reference(scratch)
        for version in range(10):
            sqlite = engine_of(f"sqlite:///{folder}/v{version}.db")
            make(reference, sqlite, version)
            (DUMPS / f"sqlite_v{version}.sql").write_text(dump_sqlite(sqlite), encoding="utf-8")
            mysql = engine_of(server.create(f"v{version}"))
            make(reference, mysql, version)
            socket = server.data / "m.sock"
            (DUMPS / f"mysql_v{version}.sql").write_text(dump_mariadb(mysql, socket), encoding="utf-8")
        reference.close()
        server.discard()


if __name__ == "__main__":
    main()
