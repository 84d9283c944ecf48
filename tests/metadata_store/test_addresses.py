"""Database addresses as people write them."""

import pytest
from mlmd_metadata_store.addresses import parse_url
from mlmd_schemas.errors import InvalidArgument


@pytest.mark.parametrize(
    ("url", "sentence"),
    [
        ("sqlite:///facts.db?mode=ro", "'sqlite:///facts.db?mode=ro' goes on with a query, which no database URL has"),
        ("sqlite:///facts.db?", "goes on with a query"),
        ("mysql://u:p?/@db:3306/facts?charset=utf8mb4", "goes on with '?' after the database; leave it out"),
        ("mysql://db/facts/", "'mysql://db/facts/' goes on with '/' after the database; leave it out"),
    ],
)
def test_what_goes_on_after_the_database_is_no_part_of_its_name(url: str, sentence: str) -> None:
    with pytest.raises(InvalidArgument) as caught:
        parse_url(url)
    assert sentence in caught.value.message
    assert "p?/" not in caught.value.message


@pytest.mark.parametrize(
    "url", ["sqlite:///a%00b.db", "sqlite:///a\0b.db", "mysql://u:secret@db/a%00", "mysql://u:secret%00@db/a"]
)
def test_no_name_has_a_nul(url: str) -> None:
    with pytest.raises(InvalidArgument, match=r"^database: '.*' has a NUL character, .*; leave it out\.$") as caught:
        parse_url(url)
    assert "secret" not in caught.value.message


def test_a_name_may_have_such_characters_encoded() -> None:
    assert parse_url("sqlite:///facts%3F.db").database == "facts?.db"
    url = parse_url("mysql://u:p?/@[::1]/facts%3F%2F")
    assert (url.password, url.host, url.database) == ("p?/", "::1", "facts?/")
