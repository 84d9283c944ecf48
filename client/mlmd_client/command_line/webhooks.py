"""`mlmd models webhooks`: where the moves of aliases are posted."""

import click

from mlmd_client.command_line.offers import MODELS, WEBHOOKS
from mlmd_client.command_line.session import Session, command
from mlmd_client.tables import Table
from mlmd_client.webhooks import webhook_row

_COLUMNS = ["id", "model", "url", "who", "created"]
_DELIVERIES = ["model", "sequence", "state", "attempts", "status", "problem", "due"]


@click.group()
def webhooks() -> None:
    """Say where the moves of aliases are posted, signed."""


@webhooks.command("ls")
@command
def list_webhooks(session: Session) -> None:
    """List the webhooks."""
    session.say(Table(_COLUMNS, list(session.store.models.webhooks.table())))


@webhooks.command()
@click.argument("url")
@click.option("--model", default="", shell_complete=MODELS, help="Moves of this model alone.")
@click.option("--secret", default="", metavar="TEXT", envvar="MLMD_WEBHOOK_SECRET", help="The key of the signatures.")
@command
def add(session: Session, url: str, model: str, secret: str) -> None:
    """Post every move to URL from now on; prints the secret, which is told this once."""
    made = session.store.models.webhooks.add(url, model=model, secret=secret)
    session.say(webhook_row(made.webhook) | {"secret": made.secret})


@webhooks.command("rm")
@click.argument("webhook", type=int, shell_complete=WEBHOOKS)
@command
def remove(session: Session, webhook: int) -> None:
    """Post nothing more to WEBHOOK, an id."""
    session.store.models.webhooks.remove(webhook)
    session.say({"removed": webhook})


@webhooks.command()
@click.argument("webhook", type=int, shell_complete=WEBHOOKS)
@command
def deliveries(session: Session, webhook: int) -> None:
    """List what was posted to WEBHOOK, an id, and what came of it, newest first."""
    session.say(Table(_DELIVERIES, list(session.store.models.webhooks.deliveries(webhook))))
