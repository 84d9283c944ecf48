"""Whose exception it was that nobody caught: known when a process ends with runs that nobody ended.

A script that ends by an exception ends so for each of its runs. A session at a prompt or in a notebook goes on after
one, and the interpreter keeps the last of them until the end; there it belongs to the run that was going on when it was
raised, the one begun last, and not to those that were begun later or had ended.
"""

import sys
import threading
from dataclasses import dataclass

_MARK = "_mlmd_noticed"
_LOCK = threading.Lock()


@dataclass(eq=False, slots=True)
class Spell:
    """The time in which a run goes on.

    >>> spell = Spell.begin()
    >>> spell.met()
    ''
    >>> spell.end()
    """

    began: int
    at_prompt: bool
    blamed: str = ""

    @classmethod
    def none(cls) -> "Spell":
        """Return a spell in which nothing is raised.

        >>> Spell.none().met()
        ''
        """
        return cls(0, True)

    @classmethod
    def begin(cls) -> "Spell":
        """Return the spell that begins now; what was raised before does not count for it."""
        global _now
        with _LOCK:
            _notice()
            _now += 1
            spell = cls(_now, _is_at_prompt())
            _open.append(spell)
            return spell

    def end(self) -> None:
        """End it; ending it twice is once."""
        with _LOCK:
            _notice()
            if self in _open:
                _open.remove(self)

    def met(self) -> str:
        """Return the exception that was raised in it and caught by nobody, as it is told; "" when there was none."""
        with _LOCK:
            _notice()
            if self.at_prompt:
                return self.blamed
            error = _last()
            return told(error) if error is not None and error.__dict__.get(_MARK, 0) >= self.began else ""


_open: list[Spell] = []
_now = 0


def claim(error: BaseException) -> None:
    """Say that an exception has ended a run by itself, and is to be held against no other one of the session.

    >>> claim(ValueError("no such column"))
    """
    with _LOCK:
        error.__dict__.setdefault(_MARK, _now)


def told(error: BaseException) -> str:
    """Return what is said of an exception.

    >>> told(ValueError("no such column")), told(KeyboardInterrupt())
    ('ValueError: no such column', 'KeyboardInterrupt')
    """
    return f"{type(error).__name__}: {error}" if str(error) else type(error).__name__


def _notice() -> None:
    """Hold the last exception, if it is a new one, against the run that was begun last."""
    error = _last()
    # The mark is on the exception itself: to keep it would keep its frames, and all that is in them, alive.
    if error is None or _MARK in error.__dict__:
        return
    error.__dict__[_MARK] = _now
    if _open:
        _open[-1].blamed = told(error)


def _last() -> BaseException | None:
    found = getattr(sys, "last_value", None)
    return found if isinstance(found, BaseException) else None


def _is_at_prompt() -> bool:
    ipython = sys.modules.get("IPython")
    return hasattr(sys, "ps1") or bool(ipython is not None and ipython.get_ipython() is not None)
