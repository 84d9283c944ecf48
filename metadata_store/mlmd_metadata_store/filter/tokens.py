"""The lexer: text to tokens (mlmd-read contract, 4.3).

One thing depends on where it stands: after `properties.` and `custom_properties.` comes a property's name, which may
begin with a digit, be a keyword, or be any text between backticks. Nothing inside a literal or a comment is looked at.
"""

import re
from collections.abc import Iterator
from typing import Final, NamedTuple

from mlmd_metadata_store.filter.faults import Fault, shown

KEYWORDS: Final = frozenset(
    [
        "AND",
        "OR",
        "NOT",
        "IN",
        "LIKE",
        "BETWEEN",
        "IS",
        "NULL",
        "TRUE",
        "FALSE",
        "CASE",
        "WHEN",
        "THEN",
        "ELSE",
        "END",
        "CAST",
        "SELECT",
        "EXISTS",
    ]
)
LARGEST_UNSIGNED: Final = 2**64 - 1


class PropertyName(NamedTuple):
    """A property as written: its name, and whether it is a custom one."""

    custom: bool
    name: str


class Token(NamedTuple):
    """`kind` is keyword, word, quoted (a word in backticks), property, integer, float, string, mark or end."""

    kind: str
    value: str | int | float | PropertyName
    at: int
    text: str


_PATTERN: Final = re.compile(
    r"""
      (?P<blank>    (?: [\s\x08\xa0\u2000-\u200a\u202f\u205f\u3000]+ | --[^\r\n]* | \#[^\r\n]* | /\*.*?\*/ )+ )
    | (?P<string>   (?P<prefix> [rR][bB]? | [bB][rR]? )?
                    (?: '''(?P<a>(?:[^\\]|\\.)*?)'''  | \"\"\"(?P<b>(?:[^\\]|\\.)*?)\"\"\"
                      | '(?P<c>(?:[^'\\\n\r]|\\.)*)' | "(?P<d>(?:[^"\\\n\r]|\\.)*)" ) )
    | (?P<property> (?P<family> custom_properties | properties ) \s*\.\s*
                    (?: `(?P<any>[^`]+)` | (?P<plain>[0-9A-Za-z_]+) ) )
    | (?P<float>    (?: [0-9]+\.[0-9]* | \.[0-9]+ ) (?: [eE][+-]?[0-9]+ )? | [0-9]+[eE][+-]?[0-9]+ )
    | (?P<integer>  0[xX][0-9a-fA-F]+ | [0-9]+ )
    | (?P<word>     [A-Za-z_][0-9A-Za-z_]* )
    | (?P<quoted>   ` (?: [^`\\] | \\. )+ ` )
    | (?P<mark>     <> | != | <= | >= | << | >> | \|\| | [-=<>(),.+*/|&^~] )
    """,
    re.VERBOSE | re.DOTALL | re.ASCII,
)
_AFTER_NUMBER: Final = re.compile(r"[0-9A-Za-z_]")
_ESCAPE: Final = re.compile(
    r"\\(?: (?P<octal>[0-3][0-7]{2}) | [xX](?P<x>[0-9a-fA-F]{2}) | u(?P<u>[0-9a-fA-F]{4}) | U(?P<U>[0-9a-fA-F]{8})"
    r"| (?P<one>.) | (?P<none>\Z) )",
    re.VERBOSE | re.DOTALL,
)
_SINGLE: Final = {
    "a": "\a", "b": "\b", "f": "\f", "n": "\n", "r": "\r", "t": "\t", "v": "\v",
    "\\": "\\", "?": "?", '"': '"', "'": "'", "`": "`",
}  # fmt: skip
_REASONS: Final = {
    "'": "this string has no closing quote on its line",
    '"': "this string has no closing quote on its line",
    "`": "this backtick opens a name that is empty or not closed",
    "/": "this comment is not closed",
    "@": "query parameters are not supported; write the value itself",
    "?": "query parameters are not supported; write the value itself",
    ";": "a filter is one expression, without `;`",
    "!": "`!` is no operator; write NOT or !=",
    "%": "`%` is no operator; write MOD(a, b)",
}


def tokens(text: str) -> Iterator[Token]:
    """Yield the tokens of a filter, at last one of kind "end"; raises Fault."""
    at, after_dot = 0, False
    while at < len(text):
        found = _PATTERN.match(text, at)
        if found is None or (text.startswith("/*", at) and found.lastgroup == "mark"):
            raise Fault(at, _REASONS.get(text[at], f"the character {text[at]!r} has no meaning here"))
        kind = found.lastgroup or ""  # of nested groups the outermost, which closes last
        if kind == "property" and after_dot:
            found, kind = _word(text, at), "word"
        if kind != "blank":
            token = _token(kind, found, text)
            after_dot = token.kind == "mark" and token.value == "."
            yield token
        at = found.end()
    yield Token("end", "", len(text), "the end of the filter")


def _word(text: str, at: int) -> re.Match[str]:
    word = re.compile(r"[A-Za-z_]+").match(text, at)
    assert word is not None  # a property begins with letters
    return word


def _token(kind: str, found: re.Match[str], text: str) -> Token:
    at, written = found.start(), found.group()
    if kind in ("integer", "float"):
        if not written.endswith(".") and _AFTER_NUMBER.match(text, found.end()):
            raise Fault(found.end(), f"a space is missing between the number {shown(written)} and what follows")
        value = _integer(written, at) if kind == "integer" else _float(written, at)
        return Token(kind, value, at, written)
    if kind == "string":
        return Token(kind, _string(found), at, written)
    if kind == "property":
        name = PropertyName(found["family"] == "custom_properties", found["any"] or found["plain"])
        return Token(kind, name, at, written)
    if kind == "word" and written.upper() in KEYWORDS:
        return Token("keyword", written.upper(), at, written)
    return Token(kind, _unescaped(written[1:-1], at + 1) if kind == "quoted" else written, at, written)


def _integer(written: str, at: int) -> int:
    digits = written[2:] if written[:2] in ("0x", "0X") else written
    base = 10 if digits is written else 16
    value = int(digits.lstrip("0")[:21] or "0", base)
    if value > LARGEST_UNSIGNED:
        raise Fault(at, f"the integer {shown(written)} has more than 64 bits")
    return value


def _float(written: str, at: int) -> float:
    value = float(written)
    if value == float("inf"):
        raise Fault(at, f"the number {shown(written)} is larger than a double can be")
    return value


def _string(found: re.Match[str]) -> str:
    prefix = (found["prefix"] or "").lower()
    if "b" in prefix:
        raise Fault(found.start(), "bytes literals match no column; write a string without the prefix b")
    group = next(name for name in "abcd" if found[name] is not None)
    content, start = found[group], found.start(group)
    if group in "ab":
        content = content.replace("\r\n", "\n").replace("\r", "\n")
    return content if prefix else _unescaped(content, start)


def _unescaped(content: str, start: int) -> str:
    return _ESCAPE.sub(lambda escape: _unescape(escape, start), content) if "\\" in content else content


def _unescape(escape: re.Match[str], start: int) -> str:
    if (one := escape["one"]) is not None:
        if one in _SINGLE:
            return _SINGLE[one]
        raise Fault(start + escape.start(), f"{shown(escape.group())!r} is no escape; write a backslash as \\\\")
    if (octal := escape["octal"]) is not None:
        return chr(int(octal, 8))
    number = int(escape["x"] or escape["u"] or escape["U"], 16)
    if number > 0x10FFFF or 0xD800 <= number <= 0xDFFF:
        raise Fault(start + escape.start(), f"{escape.group()} is no Unicode character")
    return chr(number)
