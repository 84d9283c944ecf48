"""What a run can know of itself without being told: code, command line, machine, packages."""

import functools
import getpass
import operator
import os
import platform
import re
import socket
import subprocess
import sys
from collections.abc import Iterable, Mapping
from importlib import metadata
from typing import Any, SupportsIndex
from urllib.parse import urlsplit, urlunsplit

from mlmd_client.failures import refused
from mlmd_client.values import by_name

PARTS = ("git", "command", "host", "environment")
VARIABLE = "MLMD_CAPTURE"
_GIT_SECONDS = 5.0
_SECRET = re.compile(r"(?i)(pass(word|wd)?|secret|token|api[-_]?key|credential)")
_HIDDEN = "***"


def captured(choice: bool | Iterable[str] | None = None) -> dict[str, Any]:
    """Return what is to be kept of the process, by property: all of `PARTS`, the ones chosen, or nothing.

    Without a choice `MLMD_CAPTURE` decides: `off`, or names with commas between. Raises Refused for a part that is
    none. Nothing here fails: what cannot be found out is left out.

    >>> sorted(captured(["host"]))
    ['host', 'pid', 'user']
    >>> captured(False)
    {}
    """
    found: dict[str, Any] = {}
    for part in _chosen(choice):
        found |= {"git": git, "command": command, "host": host, "environment": environment}[part]()
    return found


def _chosen(choice: bool | Iterable[str] | None) -> list[str]:
    if choice is None:
        told = os.environ.get(VARIABLE, "").strip().lower()
        choice = False if told in ("off", "0", "false", "no", "none") else told.replace(",", " ").split() or True
    if isinstance(choice, bool):
        return list(PARTS) if choice else []
    names = [choice] if isinstance(choice, str) else list(choice)
    unknown = [name for name in names if name not in PARTS]
    if unknown:
        raise refused(f"capture: {unknown[0]!r} is none of {', '.join(PARTS)}; True is all of them, False nothing.")
    return names


def command() -> dict[str, Any]:
    """Return the command line, with the values of what is called like a secret left out.

    >>> "command" in command()
    True
    """
    shown = hidden(sys.argv)
    return {"command": " ".join(shown)} if any(shown) else {}


def hidden(arguments: Iterable[str]) -> list[str]:
    """Return arguments without the values of those that are called like a secret.

    >>> hidden(["train.py", "--api-key=abc", "--password", "xyz", "--lr", "0.1"])
    ['train.py', '--api-key=***', '--password', '***', '--lr', '0.1']
    """
    shown: list[str] = []
    hide = False
    for argument in arguments:
        name, equals, _ = argument.partition("=")
        secret = bool(_SECRET.search(name)) and bool(equals or name.startswith("-"))  # Hydra's have no dashes
        shown.append(
            _HIDDEN if hide and not argument.startswith("-") else f"{name}={_HIDDEN}" if secret and equals else argument
        )
        hide = secret and not equals
    return shown


def host() -> dict[str, Any]:
    """Return the machine, the process and whose it is.

    >>> host()["pid"] == str(os.getpid())
    True
    """
    found: dict[str, Any] = {"host": socket.gethostname(), "pid": str(os.getpid())}
    try:
        found["user"] = getpass.getuser()
    except (OSError, KeyError):  # no name for this user id, as in many containers
        found["user"] = str(os.getuid()) if hasattr(os, "getuid") else ""
    return found


def environment() -> dict[str, Any]:
    """Return the version of Python, the platform, the versions of the packages, and the seed of hashes if it is set.

    >>> environment()["python_version"] == platform.python_version()
    True
    """
    found: dict[str, Any] = {
        "python_version": platform.python_version(),
        "platform": platform.platform(),
        "environment": dict(_packages()),
    }
    if os.environ.get("PYTHONHASHSEED"):  # the order of sets, and with it of batches, hangs on it
        found["python_hash_seed"] = os.environ["PYTHONHASHSEED"]
    return found


def with_seed(params: Any, seed: SupportsIndex | None) -> dict[str, Any]:
    """Return parameters by name with the seed among them.

    Raises Refused for parameters without names, and for a seed that is no whole number or not the only one.

    >>> with_seed({"lr": 0.1}, 42)
    {'lr': 0.1, 'seed': 42}
    >>> with_seed({"seed": 7}, 42)
    Traceback (most recent call last):
      ...
    mlmd_client.failures.Refused: seed: is 42, and params['seed'] is 7; say it once.
    """
    named = by_name(params, "params")
    if seed is None:
        return named
    try:
        number = operator.index(seed)
    except TypeError:
        raise refused(f"seed: {seed!r:.60} is of type {type(seed).__name__}; give a whole number.") from None
    if named.get("seed", number) != number:
        raise refused(f"seed: is {number}, and params['seed'] is {named['seed']!r:.60}; say it once.")
    return {**named, "seed": number}


@functools.cache
def _packages() -> Mapping[str, str]:
    found: dict[str, str] = {}
    for distribution in metadata.distributions():
        name = distribution.metadata["Name"]
        if name:
            found[str(name)] = str(distribution.version)
    return dict(sorted(found.items(), key=lambda item: item[0].lower()))


def git(folder: str | None = None) -> dict[str, Any]:
    """Return commit, branch, repository and whether there are changes, of the folder that the process is in.

    >>> sorted(git("/"))
    []
    """
    commit = _git(folder, "rev-parse", "HEAD")
    if not commit:
        return {}
    found: dict[str, Any] = {"git_commit": commit}
    status = _git(folder, "status", "--porcelain", "--untracked-files=no")
    if status is not None:
        found["git_dirty"] = bool(status)
    branch = _git(folder, "symbolic-ref", "--short", "--quiet", "HEAD")
    if branch:
        found["git_branch"] = branch
    remote = _git(folder, "config", "--get", "remote.origin.url")
    if remote:
        found["git_repository"] = without_credentials(remote)
    return found


def _git(folder: str | None, *arguments: str) -> str | None:
    """Return what git says, None when it says no or is not there."""
    environment = os.environ | {"GIT_OPTIONAL_LOCKS": "0", "GIT_TERMINAL_PROMPT": "0"}
    try:
        done = subprocess.run(
            ["git", *arguments],
            cwd=folder,
            env=environment,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=_GIT_SECONDS,
            check=False,
        )
    except (OSError, subprocess.SubprocessError):
        return None
    return done.stdout.decode("utf-8", "replace").strip() if done.returncode == 0 else None


def without_credentials(url: str) -> str:
    """Return a repository's address without the user and password that may be in it.

    >>> without_credentials("https://bot:s3cret@example.org/team/code.git")
    'https://example.org/team/code.git'
    """
    try:
        parts = urlsplit(url)
    except ValueError:
        return ""
    if not parts.scheme or "@" not in parts.netloc:
        return url
    return urlunsplit(parts._replace(netloc=parts.netloc.rpartition("@")[2]))
