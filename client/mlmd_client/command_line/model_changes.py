"""`mlmd models describe`, `remove-alias`, `archive`, `restore`: what is said of models, and what is out of use."""

from typing import Any

import click
from mlmd_schemas.pb.v1 import registry_pb2 as v1

from mlmd_client.command_line.existing_paths import ExistingPath
from mlmd_client.command_line.model_rows import in_words, number_of, version_row
from mlmd_client.command_line.offers import ALIASES, MODEL_VERSIONS, MODELS
from mlmd_client.command_line.session import Session, command
from mlmd_client.model_versions import format_of
from mlmd_client.models import move_row
from mlmd_client.resolved_model import state_of

TAG = click.option("--tag", "tags", multiple=True, metavar="NAME=TEXT", help="Set this tag.")
SIGNATURE = click.option(
    "--signature",
    type=ExistingPath(dir_okay=False),
    metavar="FILE",
    help="JSON of what the model takes and gives.",
)


def tags_of(given: tuple[str, ...]) -> dict[str, str]:
    """Return tags that are written NAME=TEXT; ends the command for others."""
    tags = {}
    for one in given:
        name, equals, text = one.partition("=")
        if not name or not equals:
            raise click.BadParameter(f"{one!r} is not NAME=TEXT", param_hint="--tag")
        tags[name] = text
    return tags


@click.command()
@click.argument("model", shell_complete=MODELS)
@click.argument("version", required=False, shell_complete=MODEL_VERSIONS)
@click.option("--description", default=None, help="What it is; empty takes it away.")
@click.option("--owner", default=None, help="Of a model.")
@click.option("--author", default=None, help="Of a version.")
@TAG
@click.option("--untag", multiple=True, metavar="NAME", help="Take this tag away.")
@click.option("--format", "model_format", default=None, metavar="NAME[:VERSION]", help="Of a version, onnx:1 say.")
@SIGNATURE
@command
def describe(session: Session, model: str, version: str | None, **given: Any) -> None:
    """Show, or change, what is said of MODEL, or of a VERSION of it: a name, a number, or @ALIAS."""
    changes = v1.TagChanges(set=tags_of(given["tags"]), remove=given["untag"])
    if version is None:
        _refuse(given, ("author", "model_format", "signature"), "a version; say which")
        request = v1.UpdateModelRequest(
            model=model, description=given["description"], owner=given["owner"], tags=changes
        )
        found = (
            session.store.service.write(request, v1.UpdateModelResponse).model
            if _changes(given)
            else session.store.models[model].message
        )
        _say(session, _model_facts(found))
        return
    _refuse(given, ("owner",), "a model; leave VERSION out")
    chosen = number_of(session, model, version)
    if not _changes(given):
        one = session.store.models[model]
        _say(session, _version_facts(one[version[1:] if version.startswith("@") else version].message))
        return
    signature, form = given["signature"], given["model_format"]
    asked = v1.UpdateModelVersionRequest(
        model=model,
        version=chosen,
        description=given["description"],
        author=given["author"],
        tags=changes,
        format=None if form is None else format_of(form),
        signature=signature.read_text("utf-8") if signature else None,
    )
    _say(session, _version_facts(session.store.service.write(asked, v1.UpdateModelVersionResponse).version))


def _say(session: Session, facts: dict[str, Any]) -> None:
    session.say(facts, lambda: session.facts(in_words(facts)))


def _changes(given: dict[str, Any]) -> bool:
    return any(value not in (None, ()) for value in given.values())


def _refuse(given: dict[str, Any], names: tuple[str, ...], whose: str) -> None:
    for name in names:
        if given[name] is not None:
            raise click.UsageError(f"--{name.removeprefix('model_')} is of {whose}.")


def _model_facts(model: v1.RegisteredModel) -> dict[str, Any]:
    return {
        "model": model.name,
        "description": model.description,
        "owner": model.owner,
        "state": state_of(model.state),
        "latest": model.latest_number,
        "aliases": dict(sorted(model.aliases.items())),
        "tags": dict(sorted(model.tags.items())),
    }


def _version_facts(version: v1.ModelVersion) -> dict[str, Any]:
    return version_row(version) | {
        "description": version.description,
        "tags": dict(sorted(version.tags.items())),
        "signature": version.signature,
        "approved_by": [one.subject for one in version.approvals],
    }


@click.command("remove-alias")
@click.argument("model", shell_complete=MODELS)
@click.argument("alias", shell_complete=ALIASES)
@click.option("-m", "--reason", default="", metavar="TEXT", help="Why; kept with the move.")
@command
def remove_alias(session: Session, model: str, alias: str, reason: str) -> None:
    """Let ALIAS of MODEL point at nothing; `rollback` puts it back."""
    request = v1.MoveModelAliasRequest(model=model, alias=alias, reason=reason)
    session.say(move_row(session.store.service.write(request, v1.MoveModelAliasResponse).move))


@click.command()
@click.argument("model", shell_complete=MODELS)
@click.argument("version", required=False, shell_complete=MODEL_VERSIONS)
@command
def archive(session: Session, model: str, version: str | None) -> None:
    """Take MODEL, or a VERSION of it, out of use; refused while an alias points at it or a service runs it."""
    _change_state(session, "Archive", model, version)


@click.command()
@click.argument("model", shell_complete=MODELS)
@click.argument("version", required=False, shell_complete=MODEL_VERSIONS)
@command
def restore(session: Session, model: str, version: str | None) -> None:
    """Take an archived MODEL, or a VERSION of it, back into use."""
    _change_state(session, "Restore", model, version)


def _change_state(session: Session, verb: str, model: str, version: str | None) -> None:
    if version is None:
        asked, answer = getattr(v1, f"{verb}ModelRequest"), getattr(v1, f"{verb}ModelResponse")
        changed: v1.RegisteredModel = session.store.service.write(asked(model=model), answer).model
        session.say({"model": changed.name, "state": state_of(changed.state)})
    else:
        asked, answer = getattr(v1, f"{verb}ModelVersionRequest"), getattr(v1, f"{verb}ModelVersionResponse")
        request = asked(model=model, version=number_of(session, model, version))
        session.say(version_row(session.store.service.write(request, answer).version))
