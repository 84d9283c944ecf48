"""`mlmd completion`: what the shell needs to complete commands, options, and names that the store has."""

import os
import shlex

import click
from click.shell_completion import (
    BashComplete,
    CompletionItem,
    FishComplete,
    ZshComplete,
    add_completion_class,
    get_completion_class,
)

from mlmd_client.command_line import COMPLETION

SHELLS = ("bash", "zsh", "fish")
_PLAIN = "plain"
_BASH = """\
%(complete_func)s() {
    local IFS=$'\\n' line=${COMP_LINE:0:COMP_POINT} response completion kind value
    # The shell may begin words anew at an @ and behind a : or a =, and names of versions have these in them: what
    # stands before the last of them on the line stays as it is.
    local word=${line##*[[:space:]]} kept= breaks= sign
    for sign in @ : =; do
        [[ $COMP_WORDBREAKS == *"$sign"* ]] && breaks+=$sign
    done
    [[ -n $breaks ]] && kept=${word%%"${word##*[$breaks]}"} && kept=${kept%%@}
    response=$(env COMP_LINE="$line" %(complete_var)s=bash_complete "$1" 2>/dev/null)
    COMPREPLY=()
    for completion in $response; do
        IFS=',' read -r kind value <<< "$completion"
        case $kind in
            dir) compopt -o dirnames ;;
            file) compopt -o default ;;
            plain) COMPREPLY+=("${value#"$kept"}") ;;
        esac
    done
}
complete -o nosort -F %(complete_func)s %(prog_name)s
"""
_FISH = """\
function %(complete_func)s
    set -lx COMP_WORDS (commandline -cp | string collect)
    set -lx COMP_CWORD (commandline -ct | string collect)
    for completion in (env %(complete_var)s=fish_complete %(prog_name)s 2>/dev/null)
        # What is completed may have commas in it.
        set -l found (string split -m 1 "," -- $completion)
        switch $found[1]
            case dir
                __fish_complete_directories $found[2]
            case file
                __fish_complete_path $found[2]
            case plain
                printf '%%s\\n' $found[2]
        end
    end
end
complete --no-files --keep-order --command %(prog_name)s --arguments "(%(complete_func)s)"
"""


class _Bash(BashComplete):
    """Bash, with words that have an `@`, a `:` or a `=` in them."""

    source_template = _BASH

    def get_completion_args(self) -> tuple[list[str], str]:
        """Return the words before the cursor, and the one at it."""
        line = os.environ.get("COMP_LINE", "")
        try:
            words = shlex.split(line)
        except ValueError:  # a quote is open
            words = line.split()
        ends_word = not line or line[-1].isspace()
        return (words[1:], "") if ends_word or len(words) < 2 else (words[1:-1], words[-1])

    def format_completion(self, item: CompletionItem) -> str:
        """Return kind and value; a value that bash would split or expand is quoted."""
        return f"{item.type},{shlex.quote(item.value) if item.type == _PLAIN else item.value}"


class _Zsh(ZshComplete):
    """Zsh, which puts what is offered in the place of the whole word."""

    def get_completions(self, args: list[str], incomplete: str) -> list[CompletionItem[str]]:
        """Return what completes a word, as a whole word."""
        return _whole_words(super().get_completions(args, incomplete), incomplete)


class _Fish(FishComplete):
    """Fish, which does so too, and with words that have a comma in them."""

    source_template = _FISH

    def get_completions(self, args: list[str], incomplete: str) -> list[CompletionItem[str]]:
        """Return what completes a word, as a whole word."""
        return _whole_words(super().get_completions(args, incomplete), incomplete)


def _whole_words(found: list[CompletionItem[str]], incomplete: str) -> list[CompletionItem[str]]:
    """Return items with the option before them where the word is `--type=` and what follows."""
    option, equals, _ = incomplete.partition("=")
    if not equals or not option.startswith("--"):
        return found
    return [CompletionItem(f"{option}={item.value}", item.type, item.help) for item in found]


add_completion_class(_Bash)
add_completion_class(_Zsh)
add_completion_class(_Fish)


@click.command()
@click.argument("shell", type=click.Choice(SHELLS))
@click.pass_context
def completion(context: click.Context, shell: str) -> None:
    """Print the completion script of a SHELL.

    Say `eval "$(mlmd completion bash)"`, the same with zsh, or `mlmd completion fish | source`.
    """
    kind = get_completion_class(shell)
    assert kind is not None
    click.echo(kind(context.find_root().command, {}, "mlmd", COMPLETION).source())
