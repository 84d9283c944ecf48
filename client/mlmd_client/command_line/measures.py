"""`mlmd metrics` and `compare`: how good it is, and which is better."""

from pathlib import Path
from typing import Any

import click

from mlmd_client.command_line.offers import SUBJECTS
from mlmd_client.command_line.session import Session, command
from mlmd_client.command_line.subjects import subjects_of
from mlmd_client.comparison import Comparison
from mlmd_client.failures import not_found
from mlmd_client.tables import Table

ROC = click.option("--roc", type=click.Path(path_type=Path), help="Write the ROC curves to this SVG file.")
SERIES = click.option("--series", nargs=2, metavar="NAME FILE", help="Write a series to this SVG file.")
MATRIX = click.option(
    "--matrix",
    type=click.Path(path_type=Path),
    help="Write the confusion matrices to this SVG file; several get their names added.",
)
NAME = click.option("--name", default=None, help="Only the evaluation of this name.")


def _answer(session: Session, what: tuple[str, ...], least: int, **drawings: Any) -> None:
    comparison = session.store.compare(*subjects_of(session.store, what, least))
    name = drawings["name"]
    if drawings["roc"]:
        session.remark(f"wrote {comparison.roc(name).save(drawings['roc'])}")
    if drawings["matrix"]:
        drawn = comparison.confusion_matrix(name)
        for title in drawn:
            path = drawings["matrix"]
            if len(drawn) > 1:
                path = path.with_stem(f"{path.stem}-{title.replace('/', '-').replace(' ', '-')}")
            session.remark(f"wrote {drawn[title].save(path)}")
    if drawings["series"]:
        series, path = drawings["series"]
        session.remark(f"wrote {comparison.series(series).save(path)}")
    table = comparison.table() if name is None else _of_evaluation(comparison, name)
    session.say(table)
    for each in comparison.names:
        if len(comparison.names) > 1 and len(table) and all(value is None for value in table.column(each)):
            session.remark(f"{each} has none of these figures")


def _of_evaluation(comparison: Comparison, name: str) -> Table:
    """Return the figures of one evaluation; raises NotFound."""
    table = comparison.table().where(lambda row: row["figure"].startswith(f"{name}/"))
    if not len(table):
        raise not_found(f"name: none of {', '.join(comparison.names)} has an evaluation {name!r}; table() lists them.")
    return table


@click.command()
@click.argument("what", shell_complete=SUBJECTS)
@NAME
@ROC
@MATRIX
@SERIES
@command
def metrics(session: Session, what: str, **drawings: Any) -> None:
    """Show every figure of WHAT: scalars, last points of series, what follows from matrices and curves."""
    _answer(session, (what,), 1, **drawings)


@click.command()
@click.argument("what", nargs=-1, required=True, shell_complete=SUBJECTS)
@NAME
@ROC
@MATRIX
@SERIES
@command
def compare(session: Session, what: tuple[str, ...], **drawings: Any) -> None:
    """Show the figures of several versions or runs side by side."""
    _answer(session, what, 2, **drawings)
