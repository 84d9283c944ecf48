"""What deployers write for a version, and for a moment."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from mlmd_model_registry.model_uris import ModelUri, parse_model_uri, parse_moment
from mlmd_schemas.errors import InvalidArgument


@pytest.mark.parametrize(
    ("uri", "meant"),
    [
        ("models:/fraud@champion", ModelUri("fraud", alias="champion")),
        ("models:/fraud/7", ModelUri("fraud", version="7")),
        ("models:/fraud", ModelUri("fraud", alias="latest")),
        ("models:/team%2Ffraud/blue%20one", ModelUri("team/fraud", version="blue one")),
        ("models:/a%40b@x%40y", ModelUri("a@b", alias="x@y")),
        ("models:/%E6%A8%A1%E5%9E%8B@ü", ModelUri("模型", alias="ü")),
        ("models:/100%25/1", ModelUri("100%", version="1")),
        ("model-registry://fraud/7", ModelUri("fraud", version="7")),
        ("model-registry://fraud", ModelUri("fraud", alias="latest")),
        ("model-registry://registry:8080/fraud/7?namespace=x", ModelUri("fraud", version="7")),
    ],
)
def test_what_it_means(uri: str, meant: ModelUri) -> None:
    assert parse_model_uri(uri) == meant


@pytest.mark.parametrize(
    "uri",
    ["", "fraud", "models:fraud", "models:/", "models:/@a", "models:/fraud@", "models:/fraud/", "models:/a/1@b",
     "models:/a@b@c", "models:/a/1/2", "models:/%FF", "model-registry://", "model-registry://h/a/1/2", "s3://b/x",
     "models:/" + "x" * 5000],
)  # fmt: skip
def test_what_is_none(uri: str) -> None:
    with pytest.raises(InvalidArgument):
        parse_model_uri(uri)


@given(st.text(max_size=200))
def test_any_text_is_parsed_or_refused(text: str) -> None:
    for prefix in ("", "models:/", "model-registry://"):
        try:
            found = parse_model_uri(prefix + text)
        except InvalidArgument:
            continue
        assert found.model
        assert bool(found.alias) != bool(found.version)


@pytest.mark.parametrize(
    ("text", "milliseconds"),
    [
        ("0", 0),
        ("1777802400000", 1777802400000),
        ("1970-01-01T00:00:01Z", 1000),
        ("1970-01-01T01:00:00.5+01:00", 500),
        ("1969-12-31T23:59:59+00:00", 0),
    ],
)
def test_moments(text: str, milliseconds: int) -> None:
    assert parse_moment(text) == milliseconds


@pytest.mark.parametrize("text", ["yesterday", "2026-05-03", "2026-05-03T12:00:00", "-1", "1e9", "9" * 30])
def test_what_is_no_moment(text: str) -> None:
    with pytest.raises(InvalidArgument):
        parse_moment(text)
