"""What a model card says, as sections of tables and drawings that either form is made of."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from mlmd_artifact_store.manifests import find_manifest, list_files
from mlmd_lineage.provenance import get_provenance
from mlmd_metadata_store.evaluation_reads import Assessment, assessments
from mlmd_metadata_store.metric_owners import Owner
from mlmd_metadata_store.transaction import Transaction
from mlmd_metrics.drawings import matrix_svg, roc_svg
from mlmd_schemas.pb.v1 import lineage_pb2
from mlmd_schemas.pb.v1 import registry_pb2 as v1
from mlmd_schemas.tables.v10 import Kind

from mlmd_model_registry.aliases import moves_of_number
from mlmd_model_registry.deployments import deployments_of_version
from mlmd_model_registry.messages import format_of, signature_of, tags_of, text
from mlmd_model_registry.models import Model
from mlmd_model_registry.version_metrics import Runs, runs_around, version_metrics
from mlmd_model_registry.version_reads import Version

MOST_ROWS = 100
"""Rows of one table; what there is beyond is counted."""
_MOST_HOPS = 25


@dataclass(frozen=True, slots=True)
class Section:
    """A part of the card: a table, and drawings for the form that can show them."""

    title: str
    headers: tuple[str, ...] = ()
    rows: tuple[tuple[str, ...], ...] = ()
    drawings: tuple[str, ...] = ()
    """SVG documents."""
    left_out: int = 0
    """Rows that there are beyond those."""


@dataclass(frozen=True, slots=True)
class Card:
    """A whole card."""

    title: str
    description: str
    sections: tuple[Section, ...]


def card_of(tx: Transaction, model: Model, version: Version) -> Card:
    """Return the card of a version from the facts of the store."""
    runs = runs_around(tx, version.artifact_id)
    made = [_about(model, version)]
    if version.artifact_id:
        made += _provenance(tx, version.artifact_id)
        made += [_metrics(tx, version, runs), _curves(tx, version, runs), _files(tx, version)]
    made += [_deployments(tx, version), _approvals(version), _history(tx, version)]
    descriptions = [text(model.context, "description"), text(version.context, "description")]
    sections = tuple(section for section in made if section.rows or section.drawings)
    return Card(f"{model.name} {version.name}", "\n\n".join(filter(None, descriptions)), sections)


def _section(title: str, headers: Sequence[str], rows: Sequence[Sequence[object]], count: int = 0) -> Section:
    """Return a section of a table; `count` is how many rows there are, where they are not all given."""
    shown = tuple(tuple(_cell(value) for value in row) for row in rows[:MOST_ROWS])
    return Section(title, tuple(headers), shown, left_out=max(count, len(rows)) - len(shown))


def _cell(value: object) -> str:
    return f"{value:.6g}" if isinstance(value, float) else str(value)


def moment(milliseconds: int) -> str:
    """Return a time as the card shows it, RFC 3339 with its offset."""
    return datetime.fromtimestamp(milliseconds / 1000, UTC).isoformat(timespec="seconds")


def _about(model: Model, version: Version) -> Section:
    artifact, form = version.model_artifact, format_of(version.model_artifact)
    facts = {
        "model": model.name,
        "version": version.name,
        "number": str(version.number or ""),
        "aliases": ", ".join(version.aliases),
        "state": "archived" if version.is_archived or model.is_archived else "live",
        "owner": text(model.context, "owner"),
        "author": text(version.context, "author"),
        "registered by": version.subject,
        "registered": moment(version.create_ms),
        "format": " ".join(filter(None, (form.name, form.version))),
        "uri": artifact.uri if artifact else "",
        "signature": signature_of(artifact),
    }
    tags = tags_of(model.context.custom_properties) | tags_of(version.context.custom_properties)
    rows = [(name, value) for name, value in facts.items() if value]
    return _section("About", ("fact", "value"), [*rows, *((f"tag {name}", tags[name]) for name in sorted(tags))])


def _provenance(tx: Transaction, artifact_id: int) -> Iterator[Section]:
    request = lineage_pb2.GetProvenanceRequest(
        node={"artifact_id": artifact_id},
        options={"max_hops": _MOST_HOPS},
    )
    found = get_provenance(tx, request)
    data = [
        (one.name or _versions(one), one.type, one.uri, "yes" if one.is_origin else "", one.hops) for one in found.data
    ]
    yield _section("Data", ("name", "type", "uri", "origin", "hops"), data)
    code = [
        (one.step, one.repository or one.image, one.commit + (" (changed)" if one.dirty else ""), one.source)
        for one in found.code
    ]
    yield _section("Code", ("step", "repository or image", "commit", "source"), code)
    parameters = [
        (step.step, name, _value(step.parameters[name]))
        for step in found.parameters
        for name in sorted(step.parameters)
    ]
    yield _section("Parameters", ("step", "parameter", "value"), parameters)
    nodes = [
        (node.hops, "artifact" if node.node.HasField("artifact_id") else "execution", node.type, node.name or node.uri)
        for node in found.graph.nodes
    ]
    yield _section("Lineage", ("hops", "kind", "type", "name"), nodes)


def _versions(source: lineage_pb2.DataSource) -> str:
    return ", ".join(f"{version.name}/{version.number}" for version in source.versions)


def _value(value: lineage_pb2.LineageValue) -> str:
    case = value.WhichOneof("value")
    return _cell(getattr(value, case)) if case else ""


def _metrics(tx: Transaction, version: Version, runs: Runs) -> Section:
    metrics = version_metrics(tx, version.artifact_id, runs)
    return _section("Metrics", ("metric", "value"), [(name, metrics[name]) for name in sorted(metrics)])


def _curves(tx: Transaction, version: Version, runs: Runs) -> Section:
    owners = [Owner(Kind.ARTIFACT, version.artifact_id)]
    owners += [Owner(Kind.EXECUTION, execution_id) for execution_id in (*runs.read_by, *runs.made_by)]
    drawings = [drawing for one in assessments(tx, owners) if not one.problem for drawing in _drawings(one)]
    return Section("Curves", drawings=tuple(drawings[:MOST_ROWS]))


def _drawings(one: Assessment) -> Iterator[str]:
    part = f", {one.key.slice}" if one.key.slice else ""
    called = f" ({one.key.name}{part})" if one.key.name or part else ""
    curves = {label: cutoffs.roc() for label, cutoffs in one.curves.items()}
    if one.roc is not None:
        curves[""] = one.roc
    if curves:
        yield roc_svg({label: curve.thinned() for label, curve in curves.items()}, f"ROC curve{called}")
    if one.matrix is not None:
        yield matrix_svg(one.matrix, f"Confusion matrix{called}")


def _files(tx: Transaction, version: Version) -> Section:
    manifest = find_manifest(tx, version.artifact_id)
    files = list_files(tx, version.artifact_id, "", MOST_ROWS) if manifest else []
    rows = [(file.path, file.size_bytes, file.sha256.hex(), "yes" if file.verified_ms > 0 else "no") for file in files]
    return _section("Files", ("path", "bytes", "sha256", "verified"), rows, manifest.file_count if manifest else 0)


def _deployments(tx: Transaction, version: Version) -> Section:
    found, count = deployments_of_version(tx, version.id, MOST_ROWS)
    rows = [(one.environment, one.service, _state(one), moment(one.update_ms)) for one in found]
    return _section("Deployments", ("environment", "service", "state", "since"), rows, count)


def _state(deployment: v1.Deployment) -> str:
    return v1.DeploymentState.Name(deployment.state).removeprefix("DEPLOYMENT_STATE_").lower()


def _approvals(version: Version) -> Section:
    rows = [(one.subject, one.reason, moment(one.create_ms)) for one in version.approvals]
    return _section("Approvals", ("who", "why", "when"), rows)


def _history(tx: Transaction, version: Version) -> Section:
    # One that another program made has no number yet, and no alias ever pointed at it.
    moves, count = moves_of_number(tx, version.model_id, version.number, MOST_ROWS) if version.number else ([], 0)
    rows = [
        (move.alias, move.from_number or "", move.to_number or "", move.subject, move.reason, moment(move.move_ms),
         "; ".join(_gate(gate) for gate in move.gates) + (" (overridden)" if move.overridden else ""))
        for move in moves
    ]  # fmt: skip
    return _section("History", ("alias", "from", "to", "who", "why", "when", "gates"), rows, count)


def _gate(gate: v1.GateOutcome) -> str:
    return f"{gate.rule}: {'met' if gate.passed else 'not met'}, {gate.detail}"
