"""The words of errors, as whoever types a command knows them.

A sentence is made where the fault is found: in the server, which speaks of the fields and calls of its services, or in
the SDK, which speaks of its methods. What it begins with becomes the argument or option of the command that was typed,
and the mend becomes the command that mends it.
"""

import os
import re
import shlex
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

import click

_HEAD = re.compile(r"([a-z][a-z_]*(?:\[\d+\]|\.[a-z_]+)*): (?=\S)")
_PARAMETERS = {
    "artifact_id": "what",
    "artifact_type.name": "kind",
    "authorization": "token",
    "expected_number": "expect",
    "filter_query": "where",
    "format.name": "model_format",
    "format.version": "model_format",
    "max_hops": "hops",
    "override_gates": "override",
    "page_size": "limit",
    "remove": "untag",
    "source": "what",
    "type": "kind",
    "type_name": "kind",
    "webhook_id": "webhook",
}
"""The parameter of commands in which a field of a request is typed, where it is called otherwise."""
_SUBJECTS = ("what", "first", "before", "uri", "name")
"""The arguments that name what a command is about, where a sentence tells of no value that was typed."""
_OF_ALL = ("server", "token")
"""Options that stand before the command."""
_NAMING = ("alias", "artifact_id", "id", "name", "number", "run", "uri", "version")
_PARTS = re.compile(r"[@:/]")
NOWHERE = "the folder in which this was started is no longer there; go to another one."
_LONGEST = 300
"""Characters of a value that was typed, of which a sentence repeats no more than the beginning."""
_BEGINNING = 80

Mend = str | Callable[[re.Match[str], dict[str, Any]], str]


def _removal(_: re.Match[str], typed: dict[str, Any]) -> str:
    return f"`mlmd models remove-alias {_shown(typed, 'model')} {_shown(typed, 'alias')}` lets it point at nothing"


def _reading(_: re.Match[str], typed: dict[str, Any]) -> str:
    return f"look at it again with `mlmd models ls {_shown(typed, 'model')}`"


def _figures(_: re.Match[str], typed: dict[str, Any]) -> str:
    what = typed.get("what") or ()
    names = (what,) if isinstance(what, str) else what
    return f"`mlmd {'metrics' if len(names) == 1 else 'compare'} {shlex.join(names)}` lists"


_MENDS: tuple[tuple[re.Pattern[str], Mend], ...] = tuple(
    (re.compile(pattern), mend)
    for pattern, mend in (
        (r"there is no collection (.+) of any type", r"nothing with versions is called \1"),
        (r"there is no collection (.+) of type '([^']+)'", r"nothing of type \2 is called \1"),
        (r"; log_dataset, log_model or log_artifact make one", "; `mlmd ls` lists what is, `mlmd put` keeps more"),
        (r"; add a version to make it", "; `mlmd ls` lists what is, `mlmd put` keeps more"),
        (r"\bListModels lists", "`mlmd models ls` lists"),
        (r"\bListWebhooks lists", "`mlmd models webhooks ls` lists"),
        (r"\b(?:GetEvaluations|ListSeries) (?:lists|names)(?: its curves| them)?", _figures),
        (r"\btable\(\) lists", _figures),
        (r"\bstore\.find\('artifacts'\) lists", "`mlmd ls artifacts` lists"),
        (r"\bstore\.runs\('experiment'\) lists", "`mlmd runs` lists"),
        (r"\bset override_gates and give a reason", "give --override and a --reason"),
        (r"\bto remove it, move it to no version", _removal),
        (r"\bread it again and decide again", _reading),
        (r"\brecord with RecordDeployment that it is STOPPED", "say so with `mlmd models deploy … --state stopped`"),
        (r"\bRecordDeployment makes it", "`mlmd models deploy` makes it"),
        (r"; 0 means (\d+), and deeper_page_token goes on", r"; 0 means \1"),
        (r"\bsee ListFiles", "`mlmd show` lists them"),
        (r"\bkept_journals lists", "`mlmd journals ls` lists"),
        (r"\bsay overwrite=True", "give --overwrite"),
        (r"\bask mlmd\.v1\.Server/GetInfo what it can do", "`mlmd doctor` tells of which release it is"),
        (
            r"\bwants `Bearer <token>`; send the token you were given",
            "wants a token; set MLMD_TOKEN to the one you have",
        ),
        (r"^[A-Z][A-Za-z]+ needs the role", "this needs the role"),
        (r"^Invalid `filter_query`: ", "filter_query: "),
    )
)


def as_typed(sentence: str, context: click.Context) -> str:
    """Return an error's sentence in the words of the command that was typed.

    >>> promote = click.Command("promote", params=[click.Argument(["model"]), click.Option(["--expect"], type=int)])
    >>> with promote.make_context("promote", ["churn", "--expect", "7"]) as context:
    ...     as_typed("expected_number: the alias points at version 1, not 7.", context)
    '--expect: the alias points at version 1, not 7.'
    """
    sentence = shortened(sentence, (text for typed in _all_typed(context) for text in typed.texts))
    for pattern, mend in _MENDS:
        by: Any = mend if isinstance(mend, str) else lambda found, mend=mend: mend(found, context.params)
        sentence = pattern.sub(by, sentence)
    head = _HEAD.match(sentence)
    if head is None:
        return sentence
    rest = sentence[head.end() :]
    return f"{_name_of(head[1], rest, context)}: {rest}"


def _name_of(field: str, rest: str, context: click.Context) -> str:
    """Return the name of the parameter that a field was typed in: that of its name, unless another's value is told."""
    plain = re.sub(r"\[\d+\]", "", field)
    last = plain.rpartition(".")[2]
    wanted = _PARAMETERS.get(plain) or _PARAMETERS.get(last) or last
    typed = [_Typed(one, context) for one in context.command.params]
    typed += [_Typed(one, context.find_root()) for one in context.find_root().command.params if wanted in _OF_ALL]
    named = next((one for one in typed if one.parameter.name == wanted), None)
    if named is not None and (named.told(rest) or (named.is_option and named.parameter.is_flag)):
        return named.shown
    others = [one for one in typed if one.told(rest)]
    is_doubtful = named is None or not named.is_given or (last in _NAMING and named.is_option)
    if others and is_doubtful:
        # What was typed last is about what was typed before it, as an alias is a model's, and so a sentence tells it.
        return max(others, key=lambda one: (one.is_option, one.told(rest))).shown
    subjects = (one for one in typed if one.parameter.name in _SUBJECTS and last in _NAMING)
    found = named or next(subjects, None)
    return field if found is None else found.shown


@dataclass(frozen=True, slots=True)
class _Typed:
    """A parameter, and what was typed for it."""

    parameter: Any
    context: click.Context

    @property
    def is_option(self) -> bool:
        return isinstance(self.parameter, click.Option)

    @property
    def is_given(self) -> bool:
        source = self.context.get_parameter_source(self.parameter.name or "")
        return source not in (None, click.core.ParameterSource.DEFAULT, click.core.ParameterSource.DEFAULT_MAP)

    @property
    def shown(self) -> str:
        """What it is called in the help, `--expect` or `WHAT`, or the variable that said it."""
        source = self.context.get_parameter_source(self.parameter.name or "")
        if source is click.core.ParameterSource.ENVIRONMENT:
            return str(self.parameter.envvar)
        return max(self.parameter.opts, key=len) if self.is_option else str(self.parameter.name).upper()

    def told(self, rest: str) -> tuple[int, ...]:
        """Return how surely a sentence speaks of its value: more where it is quoted whole; () where it does not."""
        if not self.is_given:
            return ()
        texts = self.texts
        whole = sum(repr(text) in rest for text in texts)
        parts = {part for text in texts for part in _PARTS.split(text) if part}
        found = [re.search(rf"(?<![\w-]){re.escape(part)}(?![\w-])", rest) for part in parts]
        places = [one.start() for one in found if one is not None]
        quoted = sum(repr(part) in rest for part in parts)
        return (whole, quoted, len(places), min(places, default=0)) if whole or places else ()

    @property
    def texts(self) -> list[str]:
        """What was typed for it, each text of its own."""
        return list(_texts(self.context.params.get(self.parameter.name or "")))


def _all_typed(context: click.Context) -> list[_Typed]:
    """Return the parameters of the command, and those that stand before it."""
    contexts = [context] if context.parent is None else [context, context.find_root()]
    return [_Typed(parameter, one) for one in contexts for parameter in one.command.params]


def not_utf8(context: click.Context) -> str:
    r"""Return the sentence for text that is no UTF-8, which names where it was typed if it was.

    >>> show = click.Command("show", params=[click.Argument(["what"])])
    >>> with show.make_context("show", ["caf\udce9"]) as context:
    ...     not_utf8(context)
    "WHAT: 'caf\\udce9' is no UTF-8, and names are; write it anew, or set LANG to a UTF-8 locale."
    """
    mend = "is no UTF-8, and names are; write it anew, or set LANG to a UTF-8 locale."
    for typed in _all_typed(context):
        for text in typed.texts:
            if any("\ud800" <= sign <= "\udfff" for sign in text):
                return f"{typed.shown}: {_cut(text)!r} {mend}"
    return f"What the store has {mend}"


def of_system(error: OSError) -> str:
    """Return the sentence for what the operating system refuses; a file that it names is cut where it is very long."""
    if isinstance(error, FileNotFoundError) and error.filename is None and is_nowhere():
        return NOWHERE
    named = f"{_cut(str(error.filename))}: " if error.filename else ""
    return f"{named}{error.strerror or error}"


def is_nowhere() -> bool:
    """Whether the working directory was deleted.

    >>> is_nowhere()
    False
    """
    try:
        os.getcwd()
    except FileNotFoundError:
        return True
    return False


def _cut(text: str) -> str:
    return text if len(text) <= _LONGEST else text[:_BEGINNING] + "…"


def shortened(sentence: str, typed: Iterable[str]) -> str:
    """Return a sentence in which no text that was typed is repeated at full length where that is very long.

    >>> shortened(f"No such command '{'x' * 1000}'.", ["x" * 1000]) == f"No such command '{'x' * 80}…'."
    True
    """
    for text in sorted({text for text in typed if len(text) > _LONGEST}, key=len, reverse=True):
        sentence = sentence.replace(repr(text)[1:-1], repr(_cut(text))[1:-1]).replace(text, _cut(text))
    return sentence


def _texts(value: Any) -> Iterable[str]:
    if isinstance(value, list | tuple):
        return [text for one in value for text in _texts(one)]
    return [] if value is None or isinstance(value, bool) else [str(value)]


def _shown(typed: dict[str, Any], name: str) -> str:
    return shlex.quote(str(typed.get(name) or name.upper()))
