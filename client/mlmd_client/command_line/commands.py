"""`mlmd` and its commands.

Each is loaded when it is asked for, so that whoever lists waits for nothing that exports; what the help says of them is
here, and loads none.
"""

from collections.abc import Iterable, Iterator, MutableMapping
from contextlib import contextmanager
from importlib import import_module
from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from click.shell_completion import CompletionItem

_PLACES = {
    "compare": ("measures:compare", "Show the figures of several versions or runs side by side."),
    "completion": ("completion:completion", "Print the script by which the Tab key of a SHELL completes."),
    "diff": ("traces:diff", "Tell why two versions or two runs differ, and where it entered."),
    "doctor": ("doctor:doctor", "Check server, database, object store, clocks and versions."),
    "export": ("archive:export_archive", "Write everything that the store knows to an archive."),
    "find": ("inventory:find", "Find nodes of a KIND by a filter."),
    "gc": ("care:gc", "Delete the files of artifacts that nothing keeps."),
    "get": ("files:get", "Fetch the files of WHAT into a folder, each verified."),
    "impact": ("traces:impact", "Tell what came from WHAT: models with what they serve first."),
    "import": ("archive:import_archive", "Take an archive into the store; what is there already stays."),
    "journals": ("journals:journals", "See, send again or discard what runs could not send."),
    "lineage": ("traces:lineage", "Show what WHAT came from and what came from it, as a tree."),
    "ls": ("inventory:ls", "List what has a name with versions, or the newest of a KIND."),
    "metrics": ("measures:metrics", "Show every figure of WHAT."),
    "models": ("models:models", "Ask and change the model registry."),
    "path": ("traces:path", "Tell how FIRST and SECOND came from one another."),
    "pin": ("keeping:pin", "Keep the files of WHAT whatever the rules of `gc` say."),
    "pins": ("keeping:pins", "List what is pinned, by whom and why."),
    "provenance": ("traces:provenance", "Tell what WHAT was made from: data, code, parameters."),
    "purge": ("care:purge", "Take facts from nodes for good, and files if asked."),
    "put": ("files:put", "Keep a file or folder as the next version of NAME."),
    "runs": ("inventory:runs", "List the runs of an experiment or a step, newest first."),
    "show": ("inventory:show", "Show all that is known of WHAT."),
    "sweep": ("upkeep:sweep", "Give up unfinished uploads, finish deletions."),
    "unpin": ("keeping:unpin", "Keep the files of WHAT no longer than the rules of `gc` say."),
    "verify": ("upkeep:verify", "Read the files of WHAT again and tell what is missing or changed."),
    "why": ("keeping:why", "Tell what keeps the files of WHAT, or who deleted them."),
}


class _Commands(MutableMapping[str, click.Command]):
    """The commands by name; one is loaded when it is taken out."""

    def __init__(self) -> None:
        self._loaded: dict[str, click.Command] = {}

    def __getitem__(self, name: str) -> click.Command:
        if name not in self._loaded:
            module, _, attribute = _PLACES[name][0].partition(":")
            self._loaded[name] = getattr(import_module(f"mlmd_client.command_line.{module}"), attribute)
        return self._loaded[name]

    def __setitem__(self, name: str, command: click.Command) -> None:
        self._loaded[name] = command

    def __delitem__(self, name: str) -> None:
        del self._loaded[name]

    def __iter__(self) -> Iterator[str]:
        return iter(_PLACES)

    def __len__(self) -> int:
        return len(_PLACES)


_TYPED = "mlmd.typed"


@contextmanager
def _shortened(typed: Iterable[str]) -> Iterator[None]:
    """Let what click says of a wrong use repeat no very long word whole."""
    try:
        yield
    except click.UsageError as error:
        from mlmd_client.command_line.wording import shortened

        values = [word.partition("=")[part] for word in typed for part in (0, 2)]
        vars(error)["message"] = shortened(error.message, [*typed, *values])  # click declares it final
        raise


class _Group(click.Group):
    """A group whose help, and whose completion, load no command."""

    def make_context(
        self, info_name: str | None, args: list[str], parent: click.Context | None = None, **extra: Any
    ) -> click.Context:
        """Read what stands before the command, and keep what was typed for what is to be said of it."""
        typed = list(args)
        with _shortened(typed):
            context = super().make_context(info_name, args, parent, **extra)
        context.meta[_TYPED] = typed
        return context

    def invoke(self, ctx: click.Context) -> Any:
        """Run a command; an interrupt has the status that it has in shells."""
        try:
            with _shortened(ctx.meta[_TYPED]):
                return super().invoke(ctx)
        except KeyboardInterrupt:
            from mlmd_client.command_line.session import Interrupted

            raise Interrupted(ctx.obj) from None

    def shell_complete(self, ctx: click.Context, incomplete: str) -> "list[CompletionItem[str]]":
        """Return commands that begin so, or options."""
        from click.shell_completion import CompletionItem

        commands = [
            CompletionItem(name, help=told) for name, (_, told) in _PLACES.items() if name.startswith(incomplete)
        ]
        return [*commands, *click.Command.shell_complete(self, ctx, incomplete)]

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write what each command does."""
        with formatter.section("Commands"):
            formatter.write_dl([(name, told) for name, (_, told) in _PLACES.items()])


@click.group(
    cls=_Group, commands=_Commands(), context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100}
)
@click.option(
    "-s",
    "--server",
    envvar="MLMD_SERVER",
    metavar="TARGET",
    help="grpc://host:port, a folder, or a database's URL; ./mlmd-data unless MLMD_SERVER says another.",
)
@click.option("--token", envvar="MLMD_TOKEN", default="", metavar="TOKEN", help="Who is asking; better in MLMD_TOKEN.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON, for programs.")
@click.version_option(package_name="mlmd-server", message="mlmd %(version)s")
@click.pass_context
def mlmd(context: click.Context, server: str | None, token: str, as_json: bool) -> None:
    """Ask and fill a store of ML metadata.

    WHAT is a version (churn@champion, churn@3, churn, models:/churn@champion), a run (experiment/step/number), or a
    node by id (artifact:7, execution:7).
    """
    from mlmd_client.command_line.session import Session, show_warnings

    context.obj = Session(server, token, as_json)
    show_warnings(context)
