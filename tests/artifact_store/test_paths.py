"""The names of files inside an artifact."""

import re
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st
from mlmd_schemas import paths as paths_module
from mlmd_schemas.errors import InvalidArgument
from mlmd_schemas.paths import LONGEST_PATH_BYTES, PathOrder, are_in_order, check_path, check_paths


@pytest.mark.parametrize(
    ("path", "why"),
    [
        ("", "empty"),
        ("/etc/passwd", "absolute"),
        ("../up", "segment '..'"),
        ("a/../../b", "segment '..'"),
        ("./a", "segment '.'"),
        ("a//b", "empty segment"),
        ("a/", "empty segment"),
        ("a\0b", r"U\+0000"),
        ("a\x1bb", r"U\+001B"),
        ("C:\\temp", "backslash"),
        ("\ud800", r"U\+D800"),
        ("\ufffe", r"U\+FFFE"),
        ("a" * 4000, "4000 bytes"),
        ("é" * 128, "segment of more than 255"),
        ("/".join(["a" * 100] * 8), "at most 700"),
    ],
)
def test_what_cannot_be_a_path(path: str, why: str) -> None:
    with pytest.raises(InvalidArgument, match=f"^path: .*{why}"):
        check_path(path)


ODD = st.text("ab./\\ ~\x7f\n\u00e9", max_size=12)
LONG = st.lists(st.sampled_from(["a" * 254, "b" * 255, "c" * 256, "d", ".", ""]), max_size=4).map("/".join)


@given(ODD | LONG)
def test_what_is_plainly_right_is_right_at_length_too(path: str) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(paths_module, "_PLAIN", re.compile(r"(?!)"))
        at_length = refusal(path)
    assert refusal(path) == at_length


@pytest.mark.parametrize(
    ("paths", "why"),
    [
        (["a", "b", "a"], "'a' is there twice"),
        (["caf\u00e9", "cafe\u0301"], "Unicode normalisation"),
        (["a/b", "a"], "'a' is a file and the folder"),
        (["a", "a/b/c/d"], "'a' is a file and the folder"),
    ],
)
def test_what_cannot_be_together(paths: list[str], why: str) -> None:
    with pytest.raises(InvalidArgument, match=why):
        check_paths(paths)


def test_what_can_be_together() -> None:
    check_paths(["a", "A", "a.b", "a-b/c", "b/a", "b/b", "b/c/d", " a", "a "])


def refusal(path: str) -> str | None:
    """Return why a path is refused, None when it is kept."""
    try:
        check_path(path)
    except InvalidArgument as error:
        return error.message
    return None


@given(st.text())
def test_every_text_is_kept_or_refused_clearly(text: str) -> None:
    message = refusal(text)
    if message is not None:
        assert message.startswith("path: ")
        assert message.isprintable()
    else:
        assert 0 < len(text.encode()) <= LONGEST_PATH_BYTES
        assert not {"", ".", ".."} & set(text.split("/"))


SEGMENT = st.text(alphabet="a!-.0é", min_size=1, max_size=3).filter(lambda text: text not in (".", ".."))


@given(st.lists(st.lists(SEGMENT, min_size=1, max_size=3).map("/".join), unique=True))
def test_paths_in_order_are_checked_as_all_together(paths: list[str]) -> None:
    def refused(check: Callable[[], object]) -> bool:
        try:
            check()
        except InvalidArgument:
            return True
        return False

    def in_order() -> None:
        order = PathOrder()
        for path in sorted(paths, key=str.encode):
            order.add(path)
        assert order.is_plain

    assert refused(in_order) == refused(lambda: check_paths(paths))
    ordered = sorted(paths, key=str.encode)
    assert refused(lambda: are_in_order(ordered)) == refused(lambda: check_paths(paths))


def test_paths_that_come_out_of_order_are_left_to_the_other_check() -> None:
    assert are_in_order(["a", "b/c", "ü"])
    assert are_in_order([])
    for paths in (["b", "a"], ["a", "a"], ["e\u0301"]):
        assert not are_in_order(paths)
    with pytest.raises(InvalidArgument, match="absolute"):
        are_in_order(["a", "/b"])
