"""`mlmd models`: the registry, from the terminal."""

from pathlib import Path
from typing import Any

import click
from mlmd_schemas.near_names import did_you_mean
from mlmd_schemas.pb.v1 import registry_pb2 as v1

from mlmd_client.command_line.model_changes import SIGNATURE, TAG, archive, describe, remove_alias, restore, tags_of
from mlmd_client.command_line.model_rows import in_order, in_words, number_of, version_row
from mlmd_client.command_line.offers import (
    ALIASES,
    ENVIRONMENTS,
    MODEL_VERSIONS,
    MODELS,
    SERVICES,
    SUBJECTS,
    URIS,
)
from mlmd_client.command_line.session import Count, Session, command, making
from mlmd_client.command_line.subjects import subject_of
from mlmd_client.command_line.webhooks import webhooks
from mlmd_client.failures import refused
from mlmd_client.model_versions import format_of
from mlmd_client.models import deployment_row, move_row
from mlmd_client.names import MODELS_SCHEME
from mlmd_client.registry_pages import pages
from mlmd_client.resolved_model import ResolvedModel, state_of
from mlmd_client.tables import Table, moment, table_of
from mlmd_client.versions import Version

REASON = click.option("-m", "--reason", default="", metavar="TEXT", help="Why; kept with the move.")


@click.group()
def models() -> None:
    """Ask and change the model registry."""


@models.command("ls")
@click.argument("model", required=False, shell_complete=MODELS)
@click.option("--archived", is_flag=True, help="Archived ones too.")
@command
def list_models(session: Session, model: str | None, archived: bool) -> None:
    """List the registered models; of a MODEL its versions, newest first."""
    if model is None:
        request = v1.ListModelsRequest(include_archived=archived)
        listed = pages(session.store.service, request, v1.ListModelsResponse)
        rows: list[dict[str, Any]] = [
            {
                "model": one.name,
                "latest": one.latest_number,
                "aliases": dict(sorted(one.aliases.items())),
                "owner": one.owner,
                "state": state_of(one.state),
                "description": one.description,
            }
            for page in listed
            for one in page.models
        ]
        columns = ["model", "latest", "aliases", "owner", "state", "description"]
        session.say(Table(columns, rows), lambda: session.table(Table(columns, [in_words(row) for row in rows])))
        return
    versions = v1.ListModelVersionsRequest(model=model, include_archived=archived)
    of_model = pages(session.store.service, versions, v1.ListModelVersionsResponse)
    session.say(table_of([version_row(one) for page in of_model for one in page.versions]))


@models.command()
@click.argument("model", shell_complete=MODELS)
@click.argument("what", shell_complete=SUBJECTS)
@click.option("--name", default="", help="The version's name; by default its number.")
@click.option("--description", default="")
@click.option("--format", "model_format", default="", metavar="NAME[:VERSION]", help="For instance onnx:1.")
@click.option("--author", default="", help="Who made it, when not the caller.")
@TAG
@SIGNATURE
@command
@making
def register(
    session: Session,
    model: str,
    what: str,
    name: str,
    description: str,
    model_format: str,
    author: str,
    tags: tuple[str, ...],
    signature: Path | None,
) -> None:
    """Register WHAT, a version or a URI (s3://…), as the next version of MODEL."""
    request = v1.CreateModelVersionRequest(
        model=model,
        name=name,
        description=description,
        author=author,
        tags=tags_of(tags),
        format=format_of(model_format),
        signature=signature.read_text("utf-8") if signature else "",
        create_model=True,
    )
    if "://" in what:
        request.uri = what
    else:
        subject = subject_of(session.store, what)
        if not isinstance(subject, Version):
            raise refused(f"what: {what!r} is a run; register what it made: `mlmd lineage {what} --down` shows it.")
        request.artifact_id = subject.id
    session.say(version_row(session.store.service.write(request, v1.CreateModelVersionResponse).version))


@models.command()
@click.argument("uri", shell_complete=URIS)
@click.option("--as-of", default="", metavar="TIME", help="What it was then: RFC 3339 with an offset, or epoch ms.")
@command
def resolve(session: Session, uri: str, as_of: str) -> None:
    """Tell everything a deployer needs of models:/MODEL@ALIAS or models:/MODEL/VERSION; `models:/` may be left out."""
    if ":/" not in uri:
        uri = f"{MODELS_SCHEME}{uri}"
    answer = ResolvedModel(
        session.store.service.read(v1.ResolveModelRequest(uri=uri, as_of=as_of), v1.ResolveModelResponse)
    ).facts()
    session.say(answer, lambda: _print_resolved(session, answer))


def _print_resolved(session: Session, answer: dict[str, Any]) -> None:
    session.facts({name: value for name, value in answer.items() if name != "metrics"})
    if answer["metrics"]:
        session.facts(answer["metrics"], "\nmetrics")


@models.command()
@click.argument("model", shell_complete=MODELS)
@click.argument("alias", shell_complete=ALIASES)
@click.argument("version", shell_complete=MODEL_VERSIONS)
@REASON
@click.option("--expect", type=Count(), default=None, metavar="NUMBER", help="Only if it points there now; 0: nowhere.")
@click.option("--override", is_flag=True, help="Though gates are not met; needs a reason.")
@command
def promote(
    session: Session, model: str, alias: str, version: str, reason: str, expect: int | None, override: bool
) -> None:
    """Point ALIAS of MODEL at VERSION: a name, a number, or @ALIAS for where another one points now."""
    with in_order(session, "promote", model, alias, version):
        number = number_of(session, model, version)
        request = v1.MoveModelAliasRequest(
            model=model, alias=alias, version=number, reason=reason, override_gates=override, expected_number=expect
        )
        session.say(move_row(session.store.service.write(request, v1.MoveModelAliasResponse).move))


@models.command()
@click.argument("model", shell_complete=MODELS)
@click.argument("alias", shell_complete=ALIASES)
@REASON
@command
def rollback(session: Session, model: str, alias: str, reason: str) -> None:
    """Point ALIAS of MODEL at what it pointed at before."""
    request = v1.RollbackModelAliasRequest(model=model, alias=alias, reason=reason)
    session.say(move_row(session.store.service.write(request, v1.RollbackModelAliasResponse).move))


@models.command()
@click.argument("model", shell_complete=MODELS)
@click.argument("alias", required=False, default="", shell_complete=ALIASES)
@command
def history(session: Session, model: str, alias: str) -> None:
    """List every move of the aliases of MODEL, newest first."""
    request = v1.ListModelAliasMovesRequest(model=model, alias=alias)
    listed = pages(session.store.service, request, v1.ListModelAliasMovesResponse)
    session.say(table_of([move_row(move) for page in listed for move in page.moves]))


@models.command()
@click.argument("model", shell_complete=MODELS)
@click.argument("alias", shell_complete=ALIASES)
@click.argument("version", shell_complete=MODEL_VERSIONS)
@command
def check(session: Session, model: str, alias: str, version: str) -> None:
    """Tell whether VERSION meets the gates of ALIAS; the exit status is 7 when it does not."""
    from mlmd_client.command_line.statuses import FOUND_WRONG

    with in_order(session, "check", model, alias, version):
        request = v1.CheckModelGatesRequest(model=model, alias=alias, version=number_of(session, model, version))
        answer = session.store.service.read(request, v1.CheckModelGatesResponse)
    rows = [{"rule": gate.rule, "passed": gate.passed, "found": gate.detail} for gate in answer.gates]
    if not rows:
        session.remark(f"no gate stands before the alias {alias!r} of {model!r}{_meant(session, model, alias)}")
    session.say(Table(["rule", "passed", "found"], rows))
    if not answer.passed:
        click.get_current_context().exit(FOUND_WRONG)


def _meant(session: Session, model: str, alias: str) -> str:
    """Ask whether another alias was meant, where the model has none that is called so."""
    aliases = session.store.models[model].message.aliases
    return "" if alias in aliases else did_you_mean(alias, aliases) or ", which has no such alias yet"


@models.command()
@click.argument("model", shell_complete=MODELS)
@click.option(
    "--alias",
    default="",
    shell_complete=ALIASES,
    help="Of this alias; without one: list all, set those of every alias.",
)
@click.option(
    "--set", "rules", multiple=True, metavar="RULE", help='For instance "auc >= 0.91"; replaces what was set.'
)
@click.option("--clear", is_flag=True, help="Let no gate be set.")
@command
def gates(session: Session, model: str, alias: str, rules: tuple[str, ...], clear: bool) -> None:
    """List, or set, what a version of MODEL must show before an alias may point at it."""
    if clear and rules:
        raise refused("--clear: with --set there is nothing to clear; leave one of them out.")
    if clear or rules:
        session.store.models[model].set_gates(*rules, alias=alias)
    rows = [row for row in session.store.models[model].gates() if row["alias"] in ("", alias) or not alias]
    session.say(Table(["alias", "rule"], rows))


@models.command()
@click.argument("model", shell_complete=MODELS)
@click.argument("version", shell_complete=MODEL_VERSIONS)
@click.option("--html", is_flag=True, help="HTML instead of Markdown.")
@command
def card(session: Session, model: str, version: str, html: bool) -> None:
    """Print the card of a VERSION of MODEL: a name, a number, or @ALIAS."""
    chosen: dict[str, Any] = {"alias": version[1:]} if version.startswith("@") else {"version": version}
    form = v1.CARD_FORMAT_HTML if html else v1.CARD_FORMAT_MARKDOWN
    answer = session.store.service.read(
        v1.GetModelCardRequest(model=model, format=form, **chosen), v1.GetModelCardResponse
    )
    session.say({"card": answer.card}, lambda: click.echo(answer.card))


@models.command()
@click.argument("model", required=False, default="", shell_complete=MODELS)
@click.option("--environment", default="", shell_complete=ENVIRONMENTS, help="Only those of this environment.")
@command
def deployments(session: Session, model: str, environment: str) -> None:
    """List what runs where."""
    request = v1.ListDeploymentsRequest(model=model, environment=environment)
    listed = pages(session.store.service, request, v1.ListDeploymentsResponse)
    rows = [deployment_row(one) for page in listed for one in page.deployments]
    session.say(Table(["environment", "service", "model", "number", "state", "runtime", "updated"], rows))


@models.command()
@click.argument("model", shell_complete=MODELS)
@click.argument("version", shell_complete=MODEL_VERSIONS)
@click.argument("environment", shell_complete=ENVIRONMENTS)
@click.argument("service", shell_complete=SERVICES)
@click.option(
    "--state",
    type=click.Choice(("pending", "running", "failed", "stopped")),
    default="running",
    show_default=True,
    help="What became of it.",
)
@click.option("--runtime", default="", help="For instance kserve-onnx.")
@command
def deploy(
    session: Session, model: str, version: str, environment: str, service: str, state: str, runtime: str
) -> None:
    """Record that SERVICE in ENVIRONMENT serves VERSION of MODEL."""
    request = v1.RecordDeploymentRequest(
        model=model,
        version=number_of(session, model, version),
        environment=environment,
        service=service,
        state=f"DEPLOYMENT_STATE_{state.upper()}",
        runtime=runtime,
    )
    session.say(deployment_row(session.store.service.write(request, v1.RecordDeploymentResponse).deployment))


@models.command()
@click.argument("model", shell_complete=MODELS)
@click.argument("version", shell_complete=MODEL_VERSIONS)
@REASON
@click.option("--withdraw", is_flag=True, help="Take the approval back.")
@command
def approve(session: Session, model: str, version: str, reason: str, withdraw: bool) -> None:
    """Say that you approve of VERSION of MODEL; gates may ask for approvals."""
    chosen = number_of(session, model, version)
    request = v1.ApproveModelVersionRequest(model=model, version=chosen, reason=reason, withdraw=withdraw)
    approved = session.store.service.write(request, v1.ApproveModelVersionResponse).version
    rows = [{"who": one.subject, "reason": one.reason, "when": moment(one.create_ms)} for one in approved.approvals]
    session.say(Table(["who", "reason", "when"], rows))


for _command in (describe, remove_alias, archive, restore, webhooks):
    models.add_command(_command)
