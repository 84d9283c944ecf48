"""What the metrics of experiment runs were: one `kf.MetricHistory` artifact for each write of a metric.

It is named `<run id>:<metric>__<last update of the metric, ms>`. A metric's last update never repeats, because every
write of its row counts at least a millisecond on, so neither do the names.
"""

from mlmd_metadata_store.filter import Filter
from mlmd_metadata_store.filter import operations as ops
from mlmd_metadata_store.filter.columns import PROPERTY_FIELDS, Type
from mlmd_metadata_store.filter.terms import Term, chain, listed
from mlmd_metadata_store.link_writes import store_links
from mlmd_metadata_store.node_writes import create_nodes
from mlmd_metadata_store.transaction import Transaction
from mlmd_schemas.errors import InvalidArgument
from mlmd_schemas.pb import metadata_store_pb2 as pb
from mlmd_schemas.tables.v10 import Kind

from mlmd_model_registry.kubeflow.calls import Answer, Request
from mlmd_model_registry.kubeflow.filters import Translator, both, history_name
from mlmd_model_registry.kubeflow.nodes import LONGEST_NAME
from mlmd_model_registry.kubeflow.pages import Selection, node_page, read_paging
from mlmd_model_registry.kubeflow.reads import find_node, list_answer, selection
from mlmd_model_registry.kubeflow.shapes import EXPERIMENT_RUN, METRIC_HISTORY
from mlmd_model_registry.kubeflow.types import declared_properties, written_type_id
from mlmd_model_registry.kubeflow.values import integer_text

SEPARATOR = "__"
_ENTITIES = (METRIC_HISTORY,)


def note_metric(tx: Transaction, metric: pb.Artifact, run_id: int) -> None:
    """Keep what a metric is now; raises InvalidArgument when its name leaves no room for the time."""
    name = f"{metric.name}{SEPARATOR}{metric.last_update_time_since_epoch}"
    if len(tx.text.encode(name)) > LONGEST_NAME:
        raise InvalidArgument("name: too long for a metric of a run; its history adds the time to it.")
    row = pb.Artifact(type_id=written_type_id(tx, METRIC_HISTORY), name=name, state=metric.state)
    known = declared_properties(METRIC_HISTORY)
    for key in metric.properties:
        if key in known:
            row.properties[key].CopyFrom(metric.properties[key])
    for key in metric.custom_properties:
        row.custom_properties[key].CopyFrom(metric.custom_properties[key])
    (row_id,) = create_nodes(tx, Kind.ARTIFACT, [row])
    store_links(tx, [(run_id, row_id)], (), fresh_artifacts=(row_id,))


def history_of_run(tx: Transaction, request: Request) -> Answer:
    """Answer with what the metrics of the run in the path were; raises NotFound when there is no such run."""
    return _history(tx, request, find_node(tx, (EXPERIMENT_RUN,), request.id).id)


def history_of_all(tx: Transaction, request: Request) -> Answer:
    """Answer with what the metrics of all runs were."""
    return _history(tx, request, 0)


def _history(tx: Transaction, request: Request, run_id: int) -> Answer:
    paging = read_paging(request.query)
    listing = Request(request.api, request.node_id, {"filterQuery": request.query.get("filterQuery", "")})
    chosen = selection(tx, _ENTITIES, listing, run_id)
    narrowed = both(_wanted(request), chosen.filter)
    page = node_page(tx, Selection(chosen.kind, chosen.types, chosen.parent, narrowed), paging)
    for row in page.nodes:
        row.name = row.name.rpartition(SEPARATOR)[0] or row.name
    return list_answer(page, _ENTITIES, paging, request.api)


def _wanted(request: Request) -> Filter | None:
    translator = Translator(Kind.ARTIFACT, owned=True)
    terms: list[Term] = []
    name, steps = request.text("name"), request.query.get("stepIds")
    if name:
        terms.append(history_name(translator, name))
    if steps:
        numbers = tuple(integer_text("stepIds", step.strip()) for step in steps.split(","))
        terms.append(
            listed(0, translator.property(0, "step", PROPERTY_FIELDS["int_value"]), numbers, Type.INT64, False)
        )
    return translator.filter(chain(0, ops.AND, terms)) if terms else None
