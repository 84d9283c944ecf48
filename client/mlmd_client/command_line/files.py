"""`mlmd put` and `get`: bytes in, bytes out, verified on the way."""

import json
from pathlib import Path
from typing import Any

import click
from mlmd_schemas.aliases import alias_fault
from mlmd_schemas.counting import counted
from mlmd_schemas.pb import metadata_store_pb2 as pb
from mlmd_schemas.pb.v1 import registry_pb2

from mlmd_client.command_line.existing_paths import ExistingPath
from mlmd_client.command_line.offers import NAMES, SUBJECTS
from mlmd_client.command_line.session import Session, command, making
from mlmd_client.command_line.subjects import subject_of
from mlmd_client.download import download
from mlmd_client.failures import NotFound, refused
from mlmd_client.names import ARTIFACT_TYPE, DATASET_TYPE, MODEL_TYPE, MODELS_SCHEME
from mlmd_client.progress_bar import ProgressBar
from mlmd_client.terminal_text import harmless
from mlmd_client.values import properties_of, value_of
from mlmd_client.versions import Version

TYPES = {"dataset": DATASET_TYPE, "model": MODEL_TYPE, "artifact": ARTIFACT_TYPE}
_REGISTERED = ("models:/", "model-registry://")
LAYOUTS = ("plain", "tf-serving", "triton")
_GOES_ON = "; nothing is half done, and the same command goes on"


@click.command()
@click.argument("path", type=ExistingPath())
@click.argument("name", shell_complete=NAMES)
@click.option(
    "--type",
    "kind",
    default="artifact",
    show_default=True,
    metavar="TYPE",
    shell_complete=lambda context, parameter, incomplete: [one for one in TYPES if one.startswith(incomplete)],
    help="dataset, model, artifact or the name of a type.",
)
@click.option(
    "-p", "--property", "properties", multiple=True, metavar="NAME=VALUE", help="Kept with it; VALUE is JSON or text."
)
@click.option("--alias", "aliases", multiple=True, metavar="ALIAS", help="Point this alias at it.")
@click.option(
    "--reuse/--no-reuse",
    default=True,
    show_default=True,
    help="Take the version that has the same content, if there is one.",
)
@command
@making
def put(
    session: Session,
    path: Path,
    name: str,
    kind: str,
    properties: tuple[str, ...],
    aliases: tuple[str, ...],
    reuse: bool,
) -> None:
    """Keep the file or folder at PATH as the next version of NAME."""
    if not name.strip():  # a variable of a script that is not set, say; what has no name could be found by id alone
        raise refused(f"name: {name!r} names nothing; say what it is to be a version of.")
    for alias in aliases:  # before anything is sent
        fault = alias_fault(alias)
        if fault:
            raise refused(f"--{fault}")
    session.once_more = _GOES_ON
    artifact = pb.Artifact(type=TYPES.get(kind, kind))
    for given in properties:
        key, value = _property(given)
        artifact.custom_properties[key].CopyFrom(value_of(value, f"--property {key}"))
    version = session.store.keep(artifact, name, path, reuse=reuse)
    kept = version.properties
    absent = [name for name in properties_of(artifact) if name not in kept]
    if absent:
        session.remark(
            f"{version.ref} was there with the same content, and has no {', '.join(absent)}; "
            "--no-reuse keeps another one"
        )
    for alias in aliases:
        version.set_alias(alias, reason="mlmd put")
    answer = {"ref": version.ref, "id": version.id, "type": version.type, "uri": version.uri}
    session.say(answer, lambda: session.console.print(harmless(f"{version.ref}  {version.uri}")))


def _property(given: str) -> tuple[str, Any]:
    key, equals, text = given.partition("=")
    if not key or not equals:
        raise click.BadParameter(f"{given!r} is not NAME=VALUE", param_hint="--property")
    try:
        return key, json.loads(text)
    except (ValueError, RecursionError):  # no JSON, or of more levels than are read
        return key, text


@click.command()
@click.argument("what", shell_complete=SUBJECTS)
@click.argument("target", type=click.Path(path_type=Path), required=False)
@click.option("--prefix", default="", metavar="PATH", help="Only files whose paths begin so.")
@click.option(
    "--layout",
    type=click.Choice(LAYOUTS),
    default="plain",
    show_default=True,
    help="Where a server looks: plain for KServe and Seldon, TARGET/NUMBER, TARGET/MODEL/NUMBER.",
)
@click.option("--overwrite", is_flag=True, help="Replace other files too, which are lost.")
@command
def get(session: Session, what: str, target: Path | None, prefix: str, layout: str, overwrite: bool) -> None:
    """Fetch the files of WHAT into the folder TARGET (here, unless given), each verified against its SHA-256.

    Files that are there already are left, those of another version of the same name replaced; for others nothing is
    fetched. An earlier `get` that was broken off goes on.
    """
    session.once_more = _GOES_ON
    artifact_id, model, number = _found(session, what)
    place = _place(target or Path(), layout, model, number)
    bar = ProgressBar(what)
    try:
        transport = session.store.service.transport
        got = download(transport, artifact_id, place, prefix=prefix, overwrite=overwrite, progress=bar)
    finally:
        bar.end()
    answer = {
        "path": str(got.root),
        "files": got.file_count,
        "bytes": got.size_bytes,
        "files_there_already": got.files_reused,
        "artifact": artifact_id,
    }
    if number:
        answer |= {"name": model, "number": number}
    session.say(
        answer,
        lambda: session.console.print(
            harmless(f"{got.root}  {counted(got.file_count, 'file')}, {counted(got.size_bytes, 'byte')}, verified")
        ),
    )


def _found(session: Session, what: str) -> tuple[int, str, int]:
    """Return the artifact, name and number that a text names: by the registry for the URI of a model."""
    if what.startswith(_REGISTERED):
        request = registry_pb2.ResolveModelRequest(uri=what)
        try:
            found = session.store.service.read(request, registry_pb2.ResolveModelResponse)
            return found.artifact_id, found.model, found.number
        except NotFound as error:
            if error.facts.get("mlmd-missing") != "model" or not what.startswith(MODELS_SCHEME):
                raise
            return _named(session, what, error)
    subject = subject_of(session.store, what)
    if not isinstance(subject, Version):
        raise refused(
            f"what: {what!r} is a run, and files are of what a run made; `mlmd lineage {what} --down` shows it."
        )
    return subject.id, subject.name, subject.number


def _named(session: Session, what: str, unregistered: NotFound) -> tuple[int, str, int]:
    """Return what has the name where no model is registered under it, as `show` and the SDK do."""
    try:
        version = session.store.version(what)
    except NotFound:
        raise unregistered from None
    return version.id, version.name, version.number


def _place(target: Path, layout: str, model: str, number: int) -> Path:
    if layout == "plain":
        return target
    if not number:
        raise refused(f"--layout: {layout} wants a folder named by a version's number, and this is no version.")
    folder = model.replace("/", "_")
    if folder in (".", ".."):
        raise refused(f"--layout: {layout} wants a folder named {model!r}, which is none; use plain.")
    return (target if layout == "tf-serving" else target / folder) / str(number)
