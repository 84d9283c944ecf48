"""A read on MySQL has its answer before the database says that the transaction has ended."""

import pytest
import sqlalchemy as sa
from mlmd_metadata_store.transaction import Transaction
from mlmd_schemas.caller import LOCAL
from mlmd_schemas.errors import InvalidArgument

from tests.metadata_store.calls import Calls
from tests.services.mysql_packets import kinds
from tests.services.proxy import Moment, Proxy
from tests.services.sql_server import Address
from tests.services.waiting import wait_for


@pytest.fixture
def reader(far: tuple[Calls, Proxy]) -> tuple[Calls, Proxy]:
    """Calls on a store with a type, after a read that has ended."""
    call, proxy = far
    call("PutContextType", context_type={"name": "Run"})
    call("GetContextTypes")
    wait_for(lambda: proxy.statements[-1] == "ROLLBACK")
    proxy.calm()
    return far


def is_rollback(statement: str) -> bool:
    """Tell whether a packet ends a read."""
    return statement == "ROLLBACK"


def types(call: Calls) -> list[str]:
    """Read on the one connection for reads."""
    return [one.name for one in call("GetContextTypes").context_types]


def test_nobody_waits_for_the_end_of_a_read(reader: tuple[Calls, Proxy]) -> None:
    call, proxy = reader
    mute = proxy.cut(1, Moment.BEFORE, is_rollback, silent=True)  # it never reaches the database, nor is it answered
    assert types(call) == ["Run"]
    assert mute.wait()
    proxy.cut_all()
    assert types(call) == ["Run"]


@pytest.mark.parametrize("moment", list(Moment))
def test_a_connection_lost_with_the_end_of_a_read_is_replaced(reader: tuple[Calls, Proxy], moment: Moment) -> None:
    call, proxy = reader
    lost = proxy.cut(1, moment, is_rollback)
    assert types(call) == ["Run"]
    assert lost.wait()
    before = proxy.accepted
    assert types(call) == ["Run"]
    assert proxy.accepted == before + 1


def test_each_read_sees_what_was_committed_before_it(reader: tuple[Calls, Proxy]) -> None:
    call, _ = reader
    for number in range(20):
        call("PutContextType", context_type={"name": f"Type{number:02}"})
        assert types(call)[-1] == f"Type{number:02}"


def test_the_database_is_left_without_a_transaction(reader: tuple[Calls, Proxy], mariadb: Address) -> None:
    call, _ = reader
    read = "SELECT CONNECTION_ID()"
    number = call.store.read(LOCAL, lambda tx: tx.rows(sa.text(read))[0][0])
    count = f"SELECT COUNT(*) FROM information_schema.innodb_trx WHERE trx_mysql_thread_id = {number}"
    wait_for(lambda: mariadb.execute(count) == [(0,)])


def test_a_read_that_failed_is_undone_before_its_error_is_told(reader: tuple[Calls, Proxy]) -> None:
    call, proxy = reader

    def body(tx: Transaction) -> None:
        tx.rows(sa.text("SELECT 1"))
        raise InvalidArgument("no")

    with pytest.raises(InvalidArgument):
        call.store.read(LOCAL, body)
    assert kinds(proxy.statements) == ["SELECT", "ROLLBACK"]
    assert types(call) == ["Run"]


def test_a_read_that_asked_nothing_leaves_what_the_one_before_it_left(reader: tuple[Calls, Proxy]) -> None:
    call, proxy = reader
    before = proxy.accepted

    def refused(tx: Transaction) -> None:
        raise InvalidArgument("no")

    for _ in range(2):
        assert types(call) == ["Run"]
        assert not call("GetArtifactsByID").artifacts
        assert not call("GetArtifactsByID").artifacts
        assert types(call) == ["Run"]
        with pytest.raises(InvalidArgument):
            call.store.read(LOCAL, refused)
    assert not call("GetArtifactsByID", artifact_ids=[1]).artifacts
    assert proxy.accepted == before
