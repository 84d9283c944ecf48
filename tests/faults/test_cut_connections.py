"""The connection to the database is cut at every place of every write: nothing is ever half there.

A proxy stands between our store and a real MariaDB and ends the connection before each statement, after each statement
(carried out, its answer lost), before COMMIT, in the middle of COMMIT, and after COMMIT before its answer. It happens
once with retries switched off, so that they hide nothing, and once as the server runs.
"""

import itertools
from collections.abc import Iterator
from dataclasses import dataclass, replace

import pytest
from google.protobuf.message import Message
from mlmd_metadata_store.methods import METADATA_METHODS
from mlmd_metadata_store.options import StoreOptions
from mlmd_metadata_store.store import Store
from mlmd_schemas.caller import LOCAL
from mlmd_schemas.errors import Code, StoreError

from tests.faults.contents import RECEIPTS, Contents, contents
from tests.faults.writes import UNMARKED, WRITES, Ground
from tests.metadata_store.calls import Calls
from tests.services.mysql_packets import packets
from tests.services.proxy import Moment, Proxy
from tests.services.sql_server import Address
from tests.services.waiting import wait_for

KEYS = (f"key-{number}" for number in itertools.count(1))
UNKNOWN = "the outcome is unknown"


def is_commit(statement: str) -> bool:
    return statement.upper() == "COMMIT"


def is_receipt(statement: str) -> bool:
    """Tell whether a receipt is written, be it in the packet of other statements."""
    return f"INSERT INTO {RECEIPTS} " in statement.replace("`", "")


def is_no_farewell(statement: str) -> bool:
    return statement != "<quit>"


def test_every_write_is_cut() -> None:
    names = {label.partition(" ")[0] for label in WRITES}
    assert names | UNMARKED == {rpc.name for rpc in METADATA_METHODS if rpc.write}


@dataclass
class Wire:
    """A store behind a proxy and its database as it is."""

    proxy: Proxy
    store: Store
    url: str
    ground: Ground

    def call(self, label: str, request: Message, key: str | None = None) -> Message:
        """Make the call through the proxy."""
        made: Message = Calls(self.store, replace(LOCAL, idempotency_key=key))(label.partition(" ")[0], request)
        return made

    def request(self, label: str) -> tuple[str, Message]:
        """Return a mark and a request that leaves it, on a warm connection with nothing planned."""
        self.proxy.calm()
        mark = self.ground.mark()
        request = WRITES[label](self.ground, mark)
        self.call("PutArtifactType", WRITES["PutArtifactType"](self.ground, self.ground.mark()))
        self.store.database.types.clear()
        self.proxy.calm()
        return mark, request

    def contents(self) -> Contents:
        """Look at the database."""
        return contents(self.url)


@pytest.fixture(scope="module", params=[1, StoreOptions().attempts], ids=["no-retries", "retries"])
def _wire(request: pytest.FixtureRequest, mariadb: Address, worker_id: str) -> Iterator[Wire]:
    name = f"cut_{worker_id}_{request.param}"
    with mariadb.database(name) as url, Proxy(mariadb.port, packets) as proxy:
        direct = Store.open(url)
        store = Store.open(Address(proxy.port).url(name), StoreOptions(attempts=request.param, pool_size=2))
        yield Wire(proxy, store, url, Ground(Calls(direct)))
        store.close()
        direct.close()


@pytest.fixture
def wire(_wire: Wire) -> Wire:
    """A store behind a proxy, which tries each write once, or as often as the server does; every test has its marks."""
    _wire.proxy.calm()
    return _wire


@dataclass(frozen=True)
class Whole:
    """What a call writes when nothing disturbs it, in rows, and how many statements it takes, COMMIT included."""

    statements: int
    more: dict[str, int]
    marked: dict[str, int]

    @classmethod
    def of(cls, wire: Wire, label: str, key: str | None = None) -> "Whole":
        """Make the call in peace."""
        mark, request = wire.request(label)
        before = wire.contents()
        wire.call(label, request, key)
        sent = [is_commit(statement) for statement in wire.proxy.statements]
        after = wire.contents()
        whole = cls(sent.index(True) + 1, after.more(before), after.marked(mark))
        assert sum(whole.more.values()) + sum(whole.marked.values()) > 0
        return whole

    def is_there(self, before: Contents, after: Contents, mark: str) -> bool:
        """Tell whether all of it is there, or nothing; anything between is an error."""
        if after == before:
            return False
        assert (after.more(before), after.marked(mark)) == (self.more, self.marked), after.differing(before)
        return True


def outcome(wire: Wire, label: str, request: Message, key: str | None = None) -> StoreError | None:
    """Make the call; return its error."""
    try:
        wire.call(label, request, key)
    except StoreError as error:
        return error
    return None


def retrying(wire: Wire) -> bool:
    return wire.store.database.dialect.options.attempts > 1


@pytest.mark.parametrize("label", WRITES)
def test_a_cut_before_commit_leaves_nothing_or_is_mended(wire: Wire, label: str) -> None:
    whole = Whole.of(wire, label)
    assert whole.statements > 1
    for at, moment in itertools.product(range(1, whole.statements), (Moment.BEFORE, Moment.ANSWERED)):
        mark, request = wire.request(label)
        before = wire.contents()
        cut = wire.proxy.cut(at, moment)
        error = outcome(wire, label, request)
        assert cut.happened
        assert not is_commit(cut.statement)
        if retrying(wire):
            assert error is None, (cut.statement, error)
        else:
            assert error is not None
            assert error.code is Code.UNAVAILABLE
            assert UNKNOWN not in error.message
        assert whole.is_there(before, wire.contents(), mark) == retrying(wire), cut.statement
        if not retrying(wire):
            wire.call(label, request)
            assert whole.is_there(before, wire.contents(), mark), "the next call works"


@pytest.mark.parametrize("label", WRITES)
def test_a_cut_at_commit_is_told_as_unknown(wire: Wire, label: str) -> None:
    whole = Whole.of(wire, label)
    for moment in Moment:
        mark, request = wire.request(label)
        before = wire.contents()
        cut = wire.proxy.cut(1, moment, is_commit)
        error = outcome(wire, label, request)
        assert cut.happened
        assert error is not None
        assert error.code is Code.UNAVAILABLE
        assert UNKNOWN in error.message
        there = whole.is_there(before, wire.contents(), mark)
        if moment is not Moment.SENT:
            assert there == (moment is Moment.ANSWERED)
        if not there:
            wire.call(label, request)
            assert whole.is_there(before, wire.contents(), mark), "the next call works"


@pytest.mark.parametrize("label", WRITES)
def test_under_a_key_a_call_takes_place_once(wire: Wire, label: str) -> None:
    whole = Whole.of(wire, label, next(KEYS))
    assert whole.more[RECEIPTS] == 1
    places = [*((moment, is_commit) for moment in Moment), (Moment.ANSWERED, is_receipt)]
    for moment, where in places:
        mark, request = wire.request(label)
        key = next(KEYS)
        before = wire.contents()
        cut = wire.proxy.cut(1, moment, where)
        error = outcome(wire, label, request, key)
        assert cut.happened
        if retrying(wire):
            assert error is None
            assert whole.is_there(before, wire.contents(), mark)
        else:
            assert error is not None
            assert error.code is Code.UNAVAILABLE
            assert (UNKNOWN in error.message) == is_commit(cut.statement)
            whole.is_there(before, wire.contents(), mark)
        first, second = wire.call(label, request, key), wire.call(label, request, key)
        assert first == second, "a repeat gets the stored answer"
        assert whole.is_there(before, wire.contents(), mark), "it took place once"


def test_a_connection_lost_while_it_is_made(wire: Wire) -> None:
    label = "PutArtifacts"
    whole = Whole.of(wire, label)
    wire.store.database.writer.dispose()
    wire.proxy.calm()
    wire.call(label, WRITES[label](wire.ground, wire.ground.mark()))
    sent = list(filter(is_no_farewell, wire.proxy.statements))
    settings = next(at for at, statement in enumerate(sent, start=1) if "@@max_allowed_packet" in statement)
    assert settings > 2
    for at, moment in itertools.product(range(1, settings + 1), (Moment.BEFORE, Moment.ANSWERED)):
        mark, request = wire.request(label)
        before = wire.contents()
        wire.store.database.writer.dispose()
        cut = wire.proxy.cut(at, moment, is_no_farewell)
        error = outcome(wire, label, request)
        assert cut.happened
        assert whole.is_there(before, wire.contents(), mark) == retrying(wire)
        assert error is None if retrying(wire) else error is not None and error.code is Code.UNAVAILABLE


@pytest.mark.parametrize("limit", [0, 3, 20], ids="after-{}-bytes".format)
def test_a_greeting_that_ends_in_the_middle(wire: Wire, limit: int) -> None:
    mark, request = wire.request("PutArtifacts")
    wire.store.database.writer.dispose()
    wire.proxy.cut_after_bytes(to_client=limit)
    error = outcome(wire, "PutArtifacts", request)
    assert (error is None) == retrying(wire)
    if error is not None:
        assert error.code is Code.UNAVAILABLE
        wire.call("PutArtifacts", request)
    assert wire.contents().marked(mark)


def test_a_connection_that_is_reset_before_the_client_looks(wire: Wire) -> None:
    """The client library tells it as refused, mostly; it is worth another try for all that."""
    for _ in range(20):
        mark, request = wire.request("PutArtifacts")
        wire.store.database.writer.dispose()
        wire.proxy.resets = 2
        error = outcome(wire, "PutArtifacts", request)
        assert (error is None) == retrying(wire)
        assert error is None or error.code is Code.UNAVAILABLE
        assert bool(wire.contents().marked(mark)) == retrying(wire)
        assert wire.proxy.resets == (0 if retrying(wire) else 1)


def test_a_cut_read_is_made_again(wire: Wire) -> None:
    def read() -> None:
        assert Calls(wire.store)("GetArtifacts").artifacts

    def read_to_the_end() -> int:
        wire.proxy.calm()
        read()
        wait_for(lambda: wire.proxy.statements and wire.proxy.statements[-1] == "ROLLBACK")  # nobody else waits for it
        return len(wire.proxy.statements)

    read_to_the_end()
    count = read_to_the_end()
    for at, moment in itertools.product(range(1, count + 1), Moment):
        read_to_the_end()
        wire.proxy.calm()
        cut = wire.proxy.cut(at, moment)
        read()
        assert cut.wait()
        read()
