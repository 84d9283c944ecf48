"""The entities of Kubeflow's Model Registry: what their JSON holds and where MLMD's nodes keep it.

Names, types and prefixes are those of Kubeflow's own mapping, so a database that its registry filled through MLMD reads
as if we had written it, and the other way round.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from enum import Enum

from mlmd_schemas.pb import metadata_store_pb2 as pb
from mlmd_schemas.tables.v10 import Kind


class Form(Enum):
    """How a field looks in JSON, and what its property holds."""

    TEXT = "text"
    """A string."""
    ID = "id"
    """A string of digits; an integer."""
    MILLISECONDS = "milliseconds"
    """A string of digits; an integer."""
    TIMESTAMP = "timestamp"
    """A string of digits; a string."""
    NUMBER = "number"
    """A number."""
    STEP = "step"
    """A number in v1alpha3, a string of digits in v1; an integer."""
    TEXTS = "texts"
    """A list of strings; a struct with one list in it."""
    URI = "uri"
    """A string; the artifact's own column."""
    STATE = "state"
    """The name of a state; the node's own column."""


PROPERTY_TYPES = {
    Form.TEXT: pb.STRING,
    Form.ID: pb.INT,
    Form.MILLISECONDS: pb.INT,
    Form.TIMESTAMP: pb.STRING,
    Form.NUMBER: pb.DOUBLE,
    Form.STEP: pb.INT,
    Form.TEXTS: pb.STRUCT,
}
"""What a type declares for each form that is a property."""


@dataclass(frozen=True, slots=True)
class Field:
    """One field of an entity; `key` is the property's name, which for a URI or state is not one."""

    name: str
    key: str
    form: Form = Form.TEXT
    choices: tuple[str, ...] = ()
    default: str = ""
    required: bool = False
    changeable: bool = True
    given: bool = True
    """Whether requests may carry it; what the server works out itself they may not."""
    until: str = ""
    """The version of the API that still has it; all of them when empty."""


@dataclass(frozen=True, slots=True, eq=False)
class Entity:
    """One kind of thing in the registry."""

    title: str
    kind: Kind
    type_name: str
    noun: str
    fields: tuple[Field, ...]
    owned: bool = True
    """Whether the stored name begins with the id of the parent and a colon."""
    named: bool = False
    """Whether a request that makes one has to name it."""
    parent: str = ""
    """The field that names the parent, for those that say it themselves."""
    artifact_type: str = ""

    @property
    def parent_field(self) -> Field | None:
        """Return the field that names the parent, None when only the path can."""
        return next((field for field in self.fields if field.name == self.parent), None)


DESCRIPTION = Field("description", "description")
_LIFE = ("LIVE", "ARCHIVED")


def _texts(*names: str) -> tuple[Field, ...]:
    return tuple(Field(name, snake_case(name)) for name in names)


def snake_case(name: str) -> str:
    """Return a camelCase name as properties spell it."""
    return "".join(f"_{letter.lower()}" if letter.isupper() else letter for letter in name)


def _choice(name: str, choices: tuple[str, ...], default: str) -> Field:
    return Field(name, snake_case(name), choices=choices, default=default)


def _id(name: str, *, required: bool = False, changeable: bool = True) -> Field:
    return Field(name, snake_case(name), Form.ID, required=required, changeable=changeable)


REGISTERED_MODEL = Entity(
    "RegisteredModel",
    Kind.CONTEXT,
    "kf.RegisteredModel",
    "registered model",
    (
        DESCRIPTION,
        *_texts("owner", "readme", "maturity", "provider", "logo", "license", "licenseLink", "libraryName"),
        Field("language", "language", Form.TEXTS),
        Field("tasks", "tasks", Form.TEXTS),
        _choice("state", _LIFE, "LIVE"),
    ),
    owned=False,
    named=True,
)
MODEL_VERSION = Entity(
    "ModelVersion",
    Kind.CONTEXT,
    "kf.ModelVersion",
    "model version",
    (
        DESCRIPTION,
        *_texts("author"),
        _choice("state", _LIFE, "LIVE"),
        _id("registeredModelId", required=True, changeable=False),
    ),
    named=True,
    parent="registeredModelId",
)
SERVING_ENVIRONMENT = Entity(
    "ServingEnvironment",
    Kind.CONTEXT,
    "kf.ServingEnvironment",
    "serving environment",
    (DESCRIPTION,),
    owned=False,
    named=True,
)
INFERENCE_SERVICE = Entity(
    "InferenceService",
    Kind.CONTEXT,
    "kf.InferenceService",
    "inference service",
    (
        DESCRIPTION,
        *_texts("runtime"),
        _choice("desiredState", ("DEPLOYED", "UNDEPLOYED"), "DEPLOYED"),
        _id("modelVersionId"),
        _id("registeredModelId", required=True, changeable=False),
        _id("servingEnvironmentId", required=True, changeable=False),
    ),
    parent="servingEnvironmentId",
)
SERVE_MODEL = Entity(
    "ServeModel",
    Kind.EXECUTION,
    "kf.ServeModel",
    "serve model",
    (
        DESCRIPTION,
        Field("lastKnownState", "", Form.STATE, tuple(pb.Execution.State.keys()), "UNKNOWN"),
        _id("modelVersionId", required=True, changeable=False),
    ),
)
EXPERIMENT = Entity(
    "Experiment",
    Kind.CONTEXT,
    "kf.Experiment",
    "experiment",
    (DESCRIPTION, *_texts("owner"), _choice("state", _LIFE, "LIVE")),
    owned=False,
    named=True,
)
EXPERIMENT_RUN = Entity(
    "ExperimentRun",
    Kind.CONTEXT,
    "kf.ExperimentRun",
    "experiment run",
    (
        DESCRIPTION,
        *_texts("owner"),
        _choice("state", _LIFE, "LIVE"),
        _choice("status", ("RUNNING", "SCHEDULED", "FINISHED", "FAILED", "KILLED"), "RUNNING"),
        Field("startTimeSinceEpoch", "start_time_since_epoch", Form.MILLISECONDS, changeable=False),
        Field("endTimeSinceEpoch", "end_time_since_epoch", Form.MILLISECONDS),
        _id("experimentId", required=True, changeable=False),
    ),
    parent="experimentId",
)

_ARTIFACT_STATE = Field("state", "", Form.STATE, tuple(pb.Artifact.State.keys()), "UNKNOWN")
_URI = Field("uri", "", Form.URI)
_OF_RUNS = (
    Field("experimentId", "experiment_id", Form.ID, given=False, until="v1alpha3"),
    Field("experimentRunId", "experiment_run_id", Form.ID, given=False, until="v1alpha3"),
)


def _artifact(title: str, type_name: str, noun: str, artifact_type: str, *fields: Field) -> Entity:
    common = (DESCRIPTION, _ARTIFACT_STATE, *_OF_RUNS)
    return Entity(title, Kind.ARTIFACT, type_name, noun, (*common, *fields), artifact_type=artifact_type)


_MODEL_SOURCE = ("modelSourceKind", "modelSourceClass", "modelSourceGroup", "modelSourceId", "modelSourceName")
_METRIC_FIELDS = (
    Field("value", "value", Form.NUMBER),
    Field("timestamp", "timestamp", Form.TIMESTAMP),
    Field("step", "step", Form.STEP),
)
MODEL_ARTIFACT = _artifact(
    "ModelArtifact",
    "kf.ModelArtifact",
    "model artifact",
    "model-artifact",
    _URI,
    *_texts("modelFormatName", "modelFormatVersion", "storageKey", "storagePath", "serviceAccountName"),
    *_texts(*_MODEL_SOURCE),
)
DOC_ARTIFACT = _artifact("DocArtifact", "kf.DocArtifact", "doc artifact", "doc-artifact", _URI)
DATA_SET = _artifact(
    "DataSet",
    "kf.DataSet",
    "data set",
    "dataset-artifact",
    _URI,
    *_texts("digest", "sourceType", "source", "schema", "profile"),
)
METRIC = _artifact("Metric", "kf.Metric", "metric", "metric", *_METRIC_FIELDS)
PARAMETER = _artifact(
    "Parameter",
    "kf.Parameter",
    "parameter",
    "parameter",
    Field("value", "value"),
    Field("parameterType", "parameter_type", choices=("string", "number", "boolean", "object")),
)
METRIC_HISTORY = _artifact("Metric", "kf.MetricHistory", "metric", "metric", *_METRIC_FIELDS)
"""What a metric was, one row for each write; shown as metrics and only in the history."""

ARTIFACTS = (MODEL_ARTIFACT, DOC_ARTIFACT, DATA_SET, METRIC, PARAMETER)
BY_ARTIFACT_TYPE = {entity.artifact_type: entity for entity in ARTIFACTS}
ENTITIES = (
    REGISTERED_MODEL,
    MODEL_VERSION,
    SERVING_ENVIRONMENT,
    INFERENCE_SERVICE,
    SERVE_MODEL,
    EXPERIMENT,
    EXPERIMENT_RUN,
    *ARTIFACTS,
)
PARENTS = {
    MODEL_VERSION: REGISTERED_MODEL,
    INFERENCE_SERVICE: SERVING_ENVIRONMENT,
    EXPERIMENT_RUN: EXPERIMENT,
    SERVE_MODEL: INFERENCE_SERVICE,
}
"""Whose child an entity is; artifacts are of a model version, of an experiment run or of nothing."""

REFERENCES = {
    "registeredModelId": REGISTERED_MODEL,
    "modelVersionId": MODEL_VERSION,
    "servingEnvironmentId": SERVING_ENVIRONMENT,
    "experimentId": EXPERIMENT,
}
"""What a field that names another entity names."""


def by_type(entities: Iterable[Entity]) -> dict[str, Entity]:
    """Return entities by the names of their types."""
    return {entity.type_name: entity for entity in entities}
