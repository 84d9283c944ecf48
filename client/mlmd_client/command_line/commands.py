"""`mlmd` and its commands."""

import importlib.metadata

import click

from mlmd_client.command_line.archive import export_archive, import_archive
from mlmd_client.command_line.completion import completion
from mlmd_client.command_line.doctor import doctor
from mlmd_client.command_line.files import get, put
from mlmd_client.command_line.inventory import find, ls, runs, show
from mlmd_client.command_line.measures import compare, metrics
from mlmd_client.command_line.models import models
from mlmd_client.command_line.session import Session
from mlmd_client.command_line.traces import diff, impact, lineage, path, provenance


@click.group(context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.option(
    "-s",
    "--server",
    envvar="MLMD_SERVER",
    metavar="TARGET",
    help="grpc://host:port, a folder, or a database's URL; ./mlmd-data unless MLMD_SERVER says another.",
)
@click.option("--token", envvar="MLMD_TOKEN", default="", metavar="TOKEN", help="Who is asking; better in MLMD_TOKEN.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON, for programs.")
@click.version_option(importlib.metadata.version("mlmd-server"), message="mlmd %(version)s")
@click.pass_context
def mlmd(context: click.Context, server: str | None, token: str, as_json: bool) -> None:
    """Ask and fill a store of ML metadata.

    WHAT is a version (churn@champion, churn@3, churn, models:/churn@champion), a run (experiment/step/number), or a
    node by id (artifact:7, execution:7).
    """
    context.obj = Session(server, token, as_json)


for _command in (
    ls,
    show,
    find,
    runs,
    lineage,
    provenance,
    impact,
    path,
    diff,
    metrics,
    compare,
    put,
    get,
    models,
    doctor,
    export_archive,
    import_archive,
    completion,
):
    mlmd.add_command(_command)
