"""`mlmd metrics` and `compare`: how good it is, and which is better."""

from pathlib import Path
from typing import Any

import click

from mlmd_client.command_line.offers import SUBJECTS
from mlmd_client.command_line.session import Session, command
from mlmd_client.command_line.subjects import subjects_of

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
    session.say(comparison.table())


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
