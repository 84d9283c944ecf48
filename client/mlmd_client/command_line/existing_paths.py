"""Files and folders that a command reads, looked for before it does anything."""

import os
from pathlib import Path
from typing import Any

import click

from mlmd_client.command_line.wording import NOWHERE, is_nowhere


class ExistingPath(click.Path):
    """A path of something that is there; when the working directory is not, that is what is told, and not the path.

    >>> ExistingPath().convert("/", None, None)
    PosixPath('/')
    """

    def __init__(self, *, dir_okay: bool = True) -> None:
        super().__init__(exists=True, dir_okay=dir_okay, path_type=Path)

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """Return the path; raises BadParameter for what is not there."""
        if not os.path.isabs(value) and is_nowhere():
            self.fail(NOWHERE, param, ctx)
        return super().convert(value, param, ctx)
