"""What happens to a test whose server or environment is not on this machine.

On a developer's machine it skips with a sentence that says what to install. With `CI_STRICT=1` it fails: a suite that
skipped half of itself must not look green.
"""

import os
from typing import NoReturn

import pytest

HINT = "install it with `make test-deps`"
MYSQLCLIENT = (
    "mysqlclient is not installed: it is installed where `pkg-config --exists libmariadb` holds; "
    "get the library with `make test-deps`, then run `make test` again"
)


def strict() -> bool:
    """Return whether a missing part is a failure."""
    return os.environ.get("CI_STRICT", "") not in ("", "0")


def missing(sentence: str, *, tolerated: bool = False) -> NoReturn:
    """Skip the test with the sentence; fail it when CI is strict and the part is not `tolerated` to be absent."""
    if strict() and not tolerated:
        pytest.fail(f"CI_STRICT: {sentence}", pytrace=False)
    pytest.skip(sentence)
