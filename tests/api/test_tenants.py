"""The stores of tenants: each opened once, when its first caller comes."""

import threading
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from mlmd_api.tenants import TenantStores
from mlmd_schemas.errors import PermissionDenied, Unavailable

MANY = 8


class Opened:
    """A store that only counts."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.pings = 0
        self.closed = 0

    def ping(self) -> None:
        """Count a round trip."""
        self.pings += 1

    def pool_use(self) -> dict[str, tuple[int, int]]:
        """Tell of pools as large as the address is long."""
        return {"read": (1, len(self.url)), self.url: (2, 3)}

    def close(self) -> None:
        """Count a closing."""
        self.closed += 1


class Opener:
    """Opens stores, and remembers which."""

    def __init__(self) -> None:
        self.made: list[Any] = []
        self.is_away = False

    def __call__(self, url: str) -> Any:
        """Open a store; raises Unavailable while its database is away."""
        if self.is_away:
            raise Unavailable("the database is away")
        self.made.append(Opened(url))
        return self.made[-1]


@pytest.fixture
def opener() -> Opener:
    return Opener()


def test_a_store_is_opened_when_its_first_caller_comes(opener: Opener) -> None:
    stores = TenantStores({"red": "r", "": "ours"}, opener)
    assert (stores.names, stores.opened(), opener.made) == (["", "red"], [], [])
    red = stores.of("red")
    assert stores.of("red") is red
    assert stores.of("") is not red
    assert [one.url for one in opener.made] == ["r", "ours"]
    assert stores.opened() == opener.made


def test_a_database_that_was_away_is_opened_when_the_next_caller_comes(opener: Opener) -> None:
    stores = TenantStores({"red": "r", "blue": "b"}, opener)
    opener.is_away = True
    with pytest.raises(Unavailable):
        stores.of("red")
    opener.is_away = False
    assert stores.of("blue") is opener.made[0]
    assert stores.of("red") is opener.made[1]


def test_callers_who_come_together_open_one_store() -> None:
    opening, go_on = threading.Semaphore(0), threading.Event()
    made: list[str] = []

    def opened(url: str) -> Any:
        made.append(url)
        opening.release()
        assert go_on.wait(60)
        return Opened(url)

    stores = TenantStores({"red": "r", "blue": "b"}, opened)
    with ThreadPoolExecutor(MANY) as threads:
        red = threads.submit(stores.of, "red")
        assert opening.acquire(timeout=60)
        others = [threads.submit(stores.of, "red") for _ in range(MANY - 2)]
        blue = threads.submit(stores.of, "blue")
        assert opening.acquire(timeout=60), "one that is opened keeps none of another tenant waiting"
        go_on.set()
        assert {one.result(60) for one in others} == {red.result(60)}
        assert blue.result(60) is not red.result(60)
    assert made == ["r", "b"]


@pytest.mark.parametrize(("tenant", "shown"), [("green", "the tenant 'green'"), ("", "callers without a tenant")])
def test_whoever_has_no_database_is_told_so(opener: Opener, tenant: str, shown: str) -> None:
    with pytest.raises(PermissionDenied) as refused:
        TenantStores({"red": "r"}, opener).of(tenant)
    said = f"This server has no database for {shown}; its operator can add one to --tenants."
    assert refused.value.message == said
    assert opener.made == []


def test_a_ping_is_one_of_the_default_database(opener: Opener) -> None:
    stores = TenantStores({"red": "r", "": "ours"}, opener)
    stores.of("red")
    stores.ping()
    assert [(one.url, one.pings) for one in opener.made] == [("r", 0), ("ours", 1)]


def test_without_a_default_a_ping_is_one_of_each_that_is_open(opener: Opener) -> None:
    stores = TenantStores({"red": "r", "blue": "b", "green": "g"}, opener)
    stores.ping()
    assert opener.made == []
    stores.of("red")
    stores.of("green")
    stores.ping()
    assert [(one.url, one.pings) for one in opener.made] == [("r", 1), ("g", 1)]


def test_connections_are_told_for_all_that_are_open_together(opener: Opener) -> None:
    stores = TenantStores({"red": "r", "": "ours", "blue": "b"}, opener)
    assert stores.pool_use() == {}
    stores.of("red")
    stores.of("")
    assert stores.pool_use() == {"read": (2, 5), "r": (2, 3), "ours": (2, 3)}


def test_what_is_closed_is_opened_anew(opener: Opener) -> None:
    stores = TenantStores({"red": "r", "blue": "b"}, opener)
    for tenant in ("red", "blue"):
        stores.of(tenant)
    stores.close()
    stores.close()
    assert [one.closed for one in opener.made] == [1, 1]
    assert (stores.opened(), stores.names) == ([], ["blue", "red"])
    assert stores.of("red") is opener.made[2]
