"""Fields of Mutation that write types, nodes, events and links, as MLMD's own calls do."""

from typing import Any

import graphene
from mlmd_schemas.pb import metadata_store_service_pb2 as service
from mlmd_schemas.tables.v10 import Kind

from mlmd_api.graphql.batches import types
from mlmd_api.graphql.entities import entity
from mlmd_api.graphql.global_ids import database_id
from mlmd_api.graphql.node_inputs import NODE_INPUTS, TYPE_INPUTS, EventInput, fill_event, fill_node, fill_type, listed
from mlmd_api.graphql.objects import resolved
from mlmd_api.graphql.writing import call, node_field, nodes_field, payload, written


def node_mutations() -> dict[str, Any]:
    """Return the fields."""
    fields: dict[str, Any] = {}
    for kind in Kind:
        noun = kind.name.capitalize()
        fields[f"put{noun}Type"] = _put_type(kind)
        fields[f"put{noun}s"] = _put_nodes(kind)
    return fields | {
        "putExecution": _put_execution_field(),
        "putEvents": _put_events_field(),
        "putAttributionsAndAssociations": _put_links_field(),
        "putParentContexts": _put_parents_field(),
    }


def _needed(kind: Any) -> Any:
    return graphene.Argument(kind, required=True)


def _put_type(kind: Kind) -> Any:
    noun = kind.name.capitalize()
    name = f"Put{noun}Type"

    def resolve(_root: Any, info: Any, type: Any, **given: Any) -> Any:
        request = getattr(service, f"{name}Request")()
        fill_type(getattr(request, f"{noun.lower()}_type"), type, "type")
        for option in ("can_add_fields", "can_omit_fields"):
            if given.get(option) is not None:
                setattr(request, option, given[option])
        return call(info, name, request, given)

    answer = payload(
        f"put{noun}Type",
        {
            "type": resolved(
                entity(f"{noun}Type"), lambda response, info: info.context.loading.load(types, response.type_id, kind)
            )
        },
    )
    options = {option: graphene.Boolean() for option in ("can_add_fields", "can_omit_fields")}
    text = "Make a type, or add properties to it with canAddFields."
    return written(answer, resolve, text, type=_needed(TYPE_INPUTS[kind]), **options)


def _put_nodes(kind: Kind) -> Any:
    noun = kind.name.lower()
    many_of = f"{noun}s"
    name = f"Put{noun.capitalize()}s"

    def resolve(_root: Any, info: Any, **given: Any) -> Any:
        request = getattr(service, f"{name}Request")()
        for place, one in enumerate(given[many_of]):
            fill_node(getattr(request, many_of).add(), kind, one, f"{many_of}[{place}]")
        if given.get("update_mask") is not None:
            request.update_mask.paths.extend(given["update_mask"])
        if given.get("abort_if_changed") is not None:
            request.options.abort_if_latest_updated_time_changed = given["abort_if_changed"]
        return {many_of: getattr(call(info, name, request, given), f"{noun}_ids")}

    arguments: dict[str, Any] = {many_of: _needed(listed(NODE_INPUTS[kind]))}
    arguments["update_mask"] = graphene.Argument(
        listed(graphene.String), description="Only these fields, as MLMD names them: uri, properties.rows."
    )
    if kind is Kind.ARTIFACT:
        arguments["abort_if_changed"] = graphene.Argument(
            graphene.Boolean, description="Refuse when one was changed after its updateMs."
        )
    answer = payload(f"put{noun.capitalize()}s", {many_of: nodes_field(kind, many_of)})
    return written(answer, resolve, f"Make {many_of}, or update those with an id.", **arguments)


ArtifactEventInput = type(
    "ArtifactEventInput",
    (graphene.InputObjectType,),
    {
        "artifact": graphene.InputField(NODE_INPUTS[Kind.ARTIFACT]),
        "event": graphene.InputField(EventInput),
        "__doc__": "An artifact that an execution used or made, and how.",
    },
)
_EXECUTION_OPTIONS = {
    "reuse_contexts": "reuse_context_if_already_exist",
    "reuse_artifacts_by_external_id": "reuse_artifact_if_already_exist_by_external_id",
    "force_update_time": "force_update_time",
}


def _put_execution_field() -> Any:
    answer = payload(
        "putExecution",
        {
            "execution": node_field(Kind.EXECUTION, "execution"),
            "artifacts": nodes_field(Kind.ARTIFACT, "artifacts"),
            "contexts": nodes_field(Kind.CONTEXT, "contexts"),
        },
    )
    return written(
        answer,
        _put_execution,
        "Make or update an execution with its artifacts, events and contexts, all of it or nothing.",
        execution=_needed(NODE_INPUTS[Kind.EXECUTION]),
        artifact_event_pairs=graphene.Argument(listed(ArtifactEventInput)),
        contexts=graphene.Argument(listed(NODE_INPUTS[Kind.CONTEXT])),
        **{option: graphene.Boolean() for option in _EXECUTION_OPTIONS},
    )


def _put_execution(_root: Any, info: Any, execution: Any, **given: Any) -> Any:
    request = service.PutExecutionRequest()
    request.execution.SetInParent()
    fill_node(request.execution, Kind.EXECUTION, execution, "execution")
    for number, pair in enumerate(given.get("artifact_event_pairs") or ()):
        made, place = request.artifact_event_pairs.add(), f"artifactEventPairs[{number}]"
        if pair.get("artifact") is not None:
            made.artifact.SetInParent()
            fill_node(made.artifact, Kind.ARTIFACT, pair["artifact"], f"{place}.artifact")
        if pair.get("event") is not None:
            fill_event(made.event, pair["event"], f"{place}.event")
    for number, context in enumerate(given.get("contexts") or ()):
        fill_node(request.contexts.add(), Kind.CONTEXT, context, f"contexts[{number}]")
    for option, field in _EXECUTION_OPTIONS.items():
        if given.get(option) is not None:
            setattr(request.options, field, given[option])
    done = call(info, "PutExecution", request, given)
    return {"execution": done.execution_id, "artifacts": done.artifact_ids, "contexts": done.context_ids}


def _put_events_field() -> Any:
    answer = payload(
        "putEvents",
        {
            "artifacts": nodes_field(Kind.ARTIFACT, "artifact_id"),
            "executions": nodes_field(Kind.EXECUTION, "execution_id"),
        },
    )
    return written(
        answer, _put_events, "Record that executions used or made artifacts.", events=_needed(listed(EventInput))
    )


def _put_events(_root: Any, info: Any, events: list[Any], **given: Any) -> Any:
    request = service.PutEventsRequest()
    for place, event in enumerate(events):
        fill_event(request.events.add(), event, f"events[{place}]")
    call(info, "PutEvents", request, given)
    return _ends(request.events, "artifact_id", "execution_id")


def _ends(messages: Any, *fields: str) -> dict[str, list[int]]:
    """Return the distinct ids in fields of messages, by field."""
    return {field: list(dict.fromkeys(getattr(one, field) for one in messages)) for field in fields}


_LINKS = {"attributions": ("artifact", "context"), "associations": ("execution", "context")}
_PARENTS = ("child", "parent")


def _link_input(name: str, ends: tuple[str, str], text: str) -> Any:
    fields = {f"{end}_id": graphene.InputField(graphene.ID, required=True) for end in ends}
    return type(name, (graphene.InputObjectType,), {**fields, "__doc__": text})


def _fill_links(target: Any, given: list[Any] | None, ends: tuple[str, str], place: str) -> None:
    for number, link in enumerate(given or ()):
        made = target.add()
        for end in ends:
            kind = "Context" if end in _PARENTS else end.capitalize()
            setattr(made, f"{end}_id", database_id(link[f"{end}_id"], kind, f"{place}[{number}].{end}Id"))


def _put_links_field() -> Any:
    answer = payload("putAttributionsAndAssociations", {"contexts": nodes_field(Kind.CONTEXT, "context_id")})
    inputs = {
        "attributions": _link_input("AttributionInput", _LINKS["attributions"], "An artifact belongs to a context."),
        "associations": _link_input("AssociationInput", _LINKS["associations"], "An execution belongs to a context."),
    }
    arguments = {name: graphene.Argument(listed(kind)) for name, kind in inputs.items()}
    return written(answer, _put_links, "Put artifacts and executions into contexts.", **arguments)


def _put_links(_root: Any, info: Any, **given: Any) -> Any:
    request = service.PutAttributionsAndAssociationsRequest()
    for name, ends in _LINKS.items():
        _fill_links(getattr(request, name), given.get(name), ends, name)
    call(info, "PutAttributionsAndAssociations", request, given)
    return _ends([*request.attributions, *request.associations], "context_id")


def _put_parents_field() -> Any:
    answer = payload(
        "putParentContexts",
        {"children": nodes_field(Kind.CONTEXT, "child_id"), "parents": nodes_field(Kind.CONTEXT, "parent_id")},
    )
    links = _link_input("ParentContextInput", _PARENTS, "A context is within another.")
    return written(answer, _put_parents, "Put contexts into contexts.", parent_contexts=_needed(listed(links)))


def _put_parents(_root: Any, info: Any, parent_contexts: list[Any], **given: Any) -> Any:
    request = service.PutParentContextsRequest()
    _fill_links(request.parent_contexts, parent_contexts, _PARENTS, "parentContexts")
    call(info, "PutParentContexts", request, given)
    return _ends(request.parent_contexts, "child_id", "parent_id")
