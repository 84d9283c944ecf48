"""What an execution says of itself: its step, its parameters, its code.

MLMD has no fields for these; tools write them as properties, each under names of its own. Known are Kubeflow Pipelines
(both generations), TFX, MLflow's tags, and the names that people give them.
"""

import re
from collections.abc import Iterator, Mapping

from mlmd_metadata_store.plain_structs import plain_struct
from mlmd_schemas.pb import metadata_store_pb2 as pb
from mlmd_schemas.pb.v1 import lineage_pb2 as v1

from mlmd_lineage.ends import Ref
from mlmd_lineage.plain_values import clean, lineage_value, value_of_plain

STEP_NAMES = ("task_name", "display_name", "component_id", "step")
"""Properties that name the step of a pipeline, the first that is set."""
PARAMETER_PREFIXES = ("param:", "params:", "param.", "params.", "parameter:", "input:")
"""Where a property has one of these before its name, the others are no parameters."""
CODE_NAMES: dict[str, tuple[str, ...]] = {
    "repository": ("git_repository", "git_repo", "git_url", "git.repository", "git.url", "git_remote", "repository",
                   "repo", "repo_url", "mlflow.source.git.repoURL"),
    "commit": ("git_commit", "git_sha", "git_commit_sha", "git.commit", "git.sha", "commit", "commit_sha",
               "commit_hash", "git_revision", "revision", "code_version", "mlflow.source.git.commit"),
    "branch": ("git_branch", "git.branch", "branch", "mlflow.source.git.branch"),
    "source": ("entry_point", "entrypoint", "source", "source_path", "script", "notebook", "code_path", "command",
               "command_line", "mlflow.source.name"),
    "image": ("image", "container_image", "image_digest", "docker_image"),
}  # fmt: skip
"""By field of CodeVersion, the properties that say it, best first."""
DIRTY_NAMES = ("git_dirty", "git.dirty", "dirty", "mlflow.source.git.dirty")

_BOOKKEEPING = frozenset({
    "display_name", "task_name", "step", "parent_dag_id", "inputs", "outputs", "pod_name", "pod_uid", "namespace",
    "cached_execution_id", "cache_fingerprint", "iteration_index", "iteration_count", "total_dag_tasks",
    "parameter_producer_task", "artifact_producer_task", "pipeline_name", "pipeline_root", "run_id", "component_id",
    "kfp_pod_name", "store_session_info", "argo_artifact", "checksum_md5", "state", "description", "host", "hostname",
    "pid", "platform",
    "user", "python_version", "environment", "error", "error_message", "heartbeat_ms", "start_ms", "end_ms",
})  # fmt: skip
_CODE = frozenset(name for names in CODE_NAMES.values() for name in names) | frozenset(DIRTY_NAMES)
_OURS = ("plugins.", "mlmd.")
"""What begins so was written by a tool for itself."""
_RUN_NAME = re.compile(r"(.+/.+)/\d+")


def step_of(execution: pb.Execution) -> str:
    """Return the name of the step that the execution is a run of.

    That is what its pipeline calls it, else the name before a run's number (`churn/train/7`), else its type.
    """
    for name in STEP_NAMES:
        text = _text(execution, name)
        if text:
            return text
    return step_of_name(clean(execution.name)) or clean(execution.type)


def step_of_name(name: str) -> str:
    """Return the step in the name of a run, `churn/train` of `churn/train/7`; "" for any other name."""
    numbered = _RUN_NAME.fullmatch(name)
    return numbered[1] if numbered else ""


def parameters_of(execution: pb.Execution) -> dict[str, v1.LineageValue]:
    """Return the parameters of an execution, by name.

    Kubeflow Pipelines keeps them in the struct `inputs`. Else they are the properties with one of PARAMETER_PREFIXES,
    and where none has, every property that is neither known bookkeeping nor code.
    """
    inputs = _value(execution, "inputs")
    if inputs is not None and inputs.HasField("struct_value"):
        return {clean(name): value_of_plain(given) for name, given in plain_struct(inputs.struct_value).items()}
    named = dict(_properties(execution))
    prefixed = {
        name[len(prefix) :]: value
        for name, value in named.items()
        for prefix in PARAMETER_PREFIXES
        if name.startswith(prefix)
    }
    if prefixed:
        return {name: lineage_value(value) for name, value in prefixed.items()}
    return {name: lineage_value(value) for name, value in named.items() if _is_parameter(name)}


def code_of(execution: pb.Execution) -> v1.CodeVersion | None:
    """Return what the execution says of its code; None when it says nothing."""
    found = {field: _first_text(execution, names) for field, names in CODE_NAMES.items()}
    if not any(found.values()):
        return None
    dirty = any(_is_true(_value(execution, name)) for name in DIRTY_NAMES)
    ref = v1.LineageRef(execution_id=execution.id)
    return v1.CodeVersion(execution=ref, step=step_of(execution), dirty=dirty, **found)


def ref_message(ref: Ref) -> v1.LineageRef:
    """Return a node as a message."""
    return v1.LineageRef(**{f"{ref.kind.name.lower()}_id": ref.id})


def _is_parameter(name: str) -> bool:
    return name not in _BOOKKEEPING and name not in _CODE and not name.startswith(_OURS)


def _properties(execution: pb.Execution) -> Iterator[tuple[str, pb.Value]]:
    """Yield custom properties, then properties, which win where both have a name."""
    maps: tuple[Mapping[str, pb.Value], ...] = (execution.custom_properties, execution.properties)
    for values in maps:
        for name in values:
            yield clean(name), values[name]


def _value(execution: pb.Execution, name: str) -> pb.Value | None:
    for values in (execution.properties, execution.custom_properties):
        if name in values:
            return values[name]
    return None


def _text(execution: pb.Execution, name: str) -> str:
    value = _value(execution, name)
    return clean(value.string_value) if value is not None and value.HasField("string_value") else ""


def _first_text(execution: pb.Execution, names: tuple[str, ...]) -> str:
    return next(filter(None, (_text(execution, name) for name in names)), "")


def _is_true(value: pb.Value | None) -> bool:
    if value is None:
        return False
    if value.HasField("string_value"):
        return value.string_value.lower() in ("true", "1", "yes")
    return bool(value.bool_value or value.int_value)
