"""Command lines as Google's gflags reads them.

`--name=value` and `-name=value`, `--name value` for what is no boolean, `--name` and `--noname` for what is one;
`--flagfile` reads more of them from a file, `--fromenv` from `FLAGS_<name>`, `--undefok` forgives names.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from mlmd_schemas.errors import InvalidArgument
from mlmd_schemas.shown import shown

_TRUE = frozenset({"true", "t", "yes", "y", "1"})
_FALSE = frozenset({"false", "f", "no", "n", "0"})
_DEEPEST_FLAGFILE = 10


@dataclass(frozen=True, slots=True)
class Flag:
    """A flag with its kind, which is its default's, and the range of a number."""

    name: str
    default: str | int | bool
    bits: int = 32

    def read(self, text: str) -> str | int | bool:
        """Return the value; raises InvalidArgument naming flag, value and reason."""
        if isinstance(self.default, bool):
            return self._boolean(text)
        if isinstance(self.default, int):
            return self._number(text)
        return text

    def _boolean(self, text: str) -> bool:
        if text.lower() in _TRUE | _FALSE:
            return text.lower() in _TRUE
        raise InvalidArgument(f"--{self.name}: {shown(text)} is neither true nor false.")

    def _number(self, text: str) -> int:
        try:
            number = int(text, 0)
        except ValueError:
            raise InvalidArgument(f"--{self.name}: {shown(text)} is no whole number.") from None
        if not -(1 << self.bits - 1) <= number < 1 << self.bits - 1:
            raise InvalidArgument(f"--{self.name}: {shown(text)} does not fit {self.bits} bits.")
        return number


class Flags:
    """The flags that a program knows, those it ignores, and what they were set to."""

    def __init__(self, flags: Sequence[Flag], ignored: frozenset[str], environment: Mapping[str, str]) -> None:
        """Take what is known, the names that are taken and mean nothing, and the environment that `--fromenv` reads."""
        self._flags = {flag.name: flag for flag in flags}
        self._ignored = ignored
        self._environment = environment
        self._undefok: set[str] = set()
        self.values: dict[str, str | int | bool] = {flag.name: flag.default for flag in flags}
        self.given: set[str] = set()

    def parse(self, arguments: Sequence[str], depth: int = 0) -> None:
        """Set the flags; the last of a name wins. Raises InvalidArgument for what cannot be followed."""
        words = iter(arguments)
        self._undefok.update(_undefok(arguments))
        for word in words:
            if word == "--":
                return
            if not word.startswith("-") or word == "-":
                continue
            name, separator, value = word.lstrip("-").partition("=")
            self._set(name.replace("-", "_"), value if separator else None, words, depth)

    def _set(self, name: str, value: str | None, words: Iterator[str], depth: int) -> None:
        if name in ("flagfile", "fromenv", "tryfromenv", "undefok"):
            self._special(name, value if value is not None else next(words, ""), depth)
            return
        flag = self._flags.get(name)
        if flag is None:
            self._unknown(name, value)
            return
        if value is None:
            value = "true" if isinstance(flag.default, bool) else next(words, None)
        if value is None:
            raise InvalidArgument(f"--{name}: the value is missing; write --{name}=VALUE.")
        self.values[name] = flag.read(value)
        self.given.add(name)

    def _unknown(self, name: str, value: str | None) -> None:
        positive = self._flags.get(name.removeprefix("no"))
        if value is None and name.startswith("no") and positive is not None and isinstance(positive.default, bool):
            self.values[positive.name] = False
            self.given.add(positive.name)
        elif not {name, name.removeprefix("no")} & (self._ignored | self._undefok):
            raise InvalidArgument(f"--{name}: there is no such flag.")

    def _special(self, name: str, value: str, depth: int) -> None:
        names = [item for item in value.split(",") if item]
        if name == "flagfile":
            for path in names:
                self._read_file(path, depth)
        elif name != "undefok":
            for item in names:
                variable = f"FLAGS_{item}"
                if variable in self._environment:
                    self.parse([f"--{item}={self._environment[variable]}"], depth)
                elif name == "fromenv":
                    raise InvalidArgument(f"--fromenv: {variable} is not in the environment.")

    def _read_file(self, path: str, depth: int) -> None:
        if depth >= _DEEPEST_FLAGFILE:
            raise InvalidArgument(f"--flagfile: {shown(path)} is nested deeper than {_DEEPEST_FLAGFILE} files.")
        try:
            lines = Path(path).read_text("utf-8").splitlines()
        except (OSError, UnicodeDecodeError) as error:
            reason = getattr(error, "strerror", None) or error  # the system's words begin with the path once more
            raise InvalidArgument(f"--flagfile: {shown(path)} cannot be read: {reason}.") from None
        self.parse([line.strip() for line in lines if line.strip().startswith("-")], depth + 1)


def _undefok(arguments: Sequence[str]) -> Iterator[str]:
    for word in arguments:
        name, _, value = word.lstrip("-").partition("=")
        if name == "undefok":
            yield from value.split(",")
