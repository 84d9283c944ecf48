"""The first steps with ML Metadata: one data set, one training, one model, and where the model came from.

The nine steps are those of Google's guide for ml_metadata, call for call: its types, its names, its values, its order.
The import below is all that is different; with `import ml_metadata as mlmd` the same file runs on that.

    python getting_started.py                  keeps everything in memory (needs: pip install 'mlmd-server[server]')
    python getting_started.py metadata.db      keeps it in a SQLite file
    python getting_started.py 127.0.0.1 8080   keeps it on a server (mlmd-server serve)
"""

import sys

import mlmd_client.compat.ml_metadata as mlmd
from mlmd_client.compat.ml_metadata.proto import metadata_store_pb2


def connect(place: list[str]) -> mlmd.MetadataStore:
    """Open a store: in memory, in a file, or on a server."""
    if len(place) == 2:
        host, port = place
        return mlmd.MetadataStore(metadata_store_pb2.MetadataStoreClientConfig(host=host, port=int(port)))
    config = metadata_store_pb2.ConnectionConfig()
    if place:
        config.sqlite.filename_uri = place[0]
        config.sqlite.connection_mode = metadata_store_pb2.SqliteMetadataSourceConfig.READWRITE_OPENCREATE
    else:
        config.fake_database.SetInParent()
    return mlmd.MetadataStore(config)


store = connect(sys.argv[1:])

# 1. What kinds of artifacts there are. Saying it again changes nothing.
data_type = metadata_store_pb2.ArtifactType(name="DataSet")
data_type.properties["day"] = metadata_store_pb2.INT
data_type.properties["split"] = metadata_store_pb2.STRING
data_type_id = store.put_artifact_type(data_type)

model_type = metadata_store_pb2.ArtifactType(name="SavedModel")
model_type.properties["version"] = metadata_store_pb2.INT
model_type.properties["name"] = metadata_store_pb2.STRING
model_type_id = store.put_artifact_type(model_type)

kinds = store.get_artifact_types()
print("types:", sorted(kind.name for kind in kinds if not kind.name.startswith("mlmd.")))

# 2. What kinds of steps there are.
trainer_type = metadata_store_pb2.ExecutionType(name="Trainer")
trainer_type.properties["state"] = metadata_store_pb2.STRING
trainer_type_id = store.put_execution_type(trainer_type)

[registered] = store.get_execution_types_by_id([trainer_type_id])
print("steps:", registered.name)

# 3. The data set, before anything is done with it.
data = metadata_store_pb2.Artifact(uri="path/to/data", type_id=data_type_id)
data.properties["day"].int_value = 1
data.properties["split"].string_value = "train"
[data_id] = store.put_artifacts([data])

everything = store.get_artifacts()
[by_id] = store.get_artifacts_by_id([data_id])
[by_uri] = store.get_artifacts_by_uri("path/to/data")
print("the data set:", by_id.uri, "is one of", len(everything), "and the same by its uri:", by_id == by_uri)

# 4. The training begins
run = metadata_store_pb2.Execution(type_id=trainer_type_id)
run.properties["state"].string_value = "RUNNING"
[run_id] = store.put_executions([run])
[begun] = store.get_executions_by_id([run_id])
print("the training:", begun.properties["state"].string_value)

# 5. and reads the data set.
reads = metadata_store_pb2.Event(artifact_id=data_id, execution_id=run_id, type=metadata_store_pb2.Event.DECLARED_INPUT)
store.put_events([reads])

# 6. It makes a model,
model = metadata_store_pb2.Artifact(uri="path/to/model/file", type_id=model_type_id)
model.properties["version"].int_value = 1
model.properties["name"].string_value = "MNIST-v1"
[model_id] = store.put_artifacts([model])

# 7. which is its output,
made = metadata_store_pb2.Event(
    artifact_id=model_id, execution_id=run_id, type=metadata_store_pb2.Event.DECLARED_OUTPUT
)
store.put_events([made])

# 8. and is done.
run.id = run_id
run.properties["state"].string_value = "COMPLETED"
store.put_executions([run])

# 9. Model and training belong to an experiment.
experiment_type = metadata_store_pb2.ContextType(name="Experiment")
experiment_type.properties["note"] = metadata_store_pb2.STRING
experiment_type_id = store.put_context_type(experiment_type)

experiment = metadata_store_pb2.Context(type_id=experiment_type_id, name="exp1")
experiment.properties["note"].string_value = "My first experiment."
[experiment_id] = store.put_contexts([experiment])
store.put_attributions_and_associations(
    [metadata_store_pb2.Attribution(artifact_id=model_id, context_id=experiment_id)],
    [metadata_store_pb2.Association(execution_id=run_id, context_id=experiment_id)],
)

models = store.get_artifacts_by_context(experiment_id)
trainings = store.get_executions_by_context(experiment_id)
print("exp1 has", [one.properties["name"].string_value for one in models], end=" ")
print([one.properties["state"].string_value for one in trainings])

# Beyond those first steps: what is found by a filter, and what the model was made of.
found = store.get_artifacts(list_options=mlmd.ListOptions(filter_query="properties.version.int_value = 1"))
print("models of version 1:", [artifact.properties["name"].string_value for artifact in found])
made_by = [event.execution_id for event in store.get_events_by_artifact_ids([model_id])]
inputs = [
    event.artifact_id
    for event in store.get_events_by_execution_ids(made_by)
    if event.type == metadata_store_pb2.Event.DECLARED_INPUT
]
print("the model was made of:", [artifact.uri for artifact in store.get_artifacts_by_id(inputs)])
try:
    store.get_artifact_type("Nothing")
except mlmd.errors.NotFoundError as error:
    print("asked for what is not there:", error.error_code)
