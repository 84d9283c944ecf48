"""The proxy forwards faithfully, and breaks connections exactly where it is told."""

import contextlib
import socket
import socketserver
import threading
from collections.abc import Iterator
from types import SimpleNamespace

import pytest

from tests.services import proxy as proxy_module
from tests.services.mysql_packets import packets, statement
from tests.services.proxy import Moment, Proxy
from tests.services.sql_server import Address
from tests.services.waiting import wait_for

PIECE = 50_000


class Echo(socketserver.BaseRequestHandler):
    """Sends back what it gets, and remembers it."""

    def handle(self) -> None:
        with contextlib.suppress(OSError):
            while data := self.request.recv(65536):
                assert isinstance(self.server, EchoServer)
                self.server.heard.append(data)
                self.request.sendall(data)


class EchoServer(socketserver.ThreadingTCPServer):
    """A server that echoes, with what it heard."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Echo)
        self.heard: list[bytes] = []


@pytest.fixture
def echo() -> Iterator[EchoServer]:
    """A server that echoes, with the list `heard`."""
    server = EchoServer()
    threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
    yield server
    server.shutdown()
    server.server_close()


def ask(connection: socket.socket, text: bytes) -> bytes:
    """Send the text and return as many bytes, fewer when the connection ends."""
    answer = b""
    for start in range(0, len(text), PIECE):  # nobody reads while all of a long one is sent
        connection.sendall(text[start : start + PIECE])
        until = min(len(text), start + PIECE)
        while len(answer) < until and (part := connection.recv(until - len(answer))):
            answer += part
    return answer


def heard(echo: EchoServer, text: bytes) -> bool:
    """Whether the server hears the text, sooner or later."""
    return wait_for(lambda: b"".join(echo.heard) == text)


def test_bytes_pass_unchanged_and_are_counted(echo: EchoServer) -> None:
    text = bytes(range(256)) * 4000
    with Proxy(echo.server_address[1]) as proxy, socket.create_connection(("127.0.0.1", proxy.port)) as connection:
        assert ask(connection, text) == text
        assert proxy.accepted == 1
        assert proxy.bytes_to_server == proxy.bytes_to_client == len(text)


@pytest.mark.parametrize(
    ("moment", "reached"), [(Moment.BEFORE, b"one"), (Moment.SENT, b"onetwo"), (Moment.ANSWERED, b"onetwo")]
)
def test_a_cut_comes_at_its_moment(echo: EchoServer, moment: Moment, reached: bytes) -> None:
    with Proxy(echo.server_address[1]) as proxy, socket.create_connection(("127.0.0.1", proxy.port)) as connection:
        cut = proxy.cut(2, moment)
        assert ask(connection, b"one") == b"one"
        assert not cut.happened
        with pytest.raises(ConnectionResetError):
            ask(connection, b"two")
        assert cut.happened
        assert cut.statement == "two"
        assert heard(echo, reached)


def test_without_reset_the_client_sees_an_end(echo: EchoServer) -> None:
    with Proxy(echo.server_address[1], reset=False) as proxy:
        proxy.cut(1, Moment.ANSWERED)
        with socket.create_connection(("127.0.0.1", proxy.port)) as connection:
            assert ask(connection, b"lost") == b""


def test_a_cut_waits_for_its_predicate_and_happens_once(echo: EchoServer) -> None:
    with Proxy(echo.server_address[1]) as proxy:
        cut = proxy.cut(1, Moment.BEFORE, lambda text: text.startswith("COMMIT"))
        with socket.create_connection(("127.0.0.1", proxy.port)) as connection:
            assert ask(connection, b"INSERT") == b"INSERT"
            with pytest.raises(ConnectionResetError):
                ask(connection, b"COMMIT")
        assert cut.wait()
        with socket.create_connection(("127.0.0.1", proxy.port)) as connection:
            assert ask(connection, b"COMMIT") == b"COMMIT"


@pytest.mark.parametrize(("limits", "reached"), [({"to_server": 5}, b"01234"), ({"to_client": 3}, b"0123456789")])
def test_a_connection_ends_after_so_many_bytes(echo: EchoServer, limits: dict[str, int], reached: bytes) -> None:
    with Proxy(echo.server_address[1], reset=False) as proxy:
        proxy.cut_after_bytes(**limits)
        with socket.create_connection(("127.0.0.1", proxy.port)) as connection:
            answer = ask(connection, b"0123456789")
        assert b"0123456789".startswith(answer)
        assert len(answer) <= min(limits.values())
        assert heard(echo, reached)
        with socket.create_connection(("127.0.0.1", proxy.port)) as connection:
            assert ask(connection, b"abcdefghij") == b"abcdefghij"


def test_all_connections_can_be_cut_and_further_ones_refused(echo: EchoServer) -> None:
    with Proxy(echo.server_address[1]) as proxy, contextlib.ExitStack() as opened:
        both = [opened.enter_context(socket.create_connection(("127.0.0.1", proxy.port))) for _ in range(2)]
        assert [ask(connection, b"x") for connection in both] == [b"x", b"x"]
        assert proxy.cut_all() == 2
        for connection in both:
            with pytest.raises(ConnectionResetError):
                ask(connection, b"y")
        proxy.refusing = True
        with socket.create_connection(("127.0.0.1", proxy.port)) as refused:
            assert refused.recv(1) == b""
        proxy.calm()
        with socket.create_connection(("127.0.0.1", proxy.port)) as connection:
            assert ask(connection, b"z") == b"z"


def test_delay_and_throttle_slow_it_down(echo: EchoServer, monkeypatch: pytest.MonkeyPatch) -> None:
    slept: list[float] = []
    monkeypatch.setattr(proxy_module, "time", SimpleNamespace(sleep=slept.append))
    with Proxy(echo.server_address[1]) as proxy, socket.create_connection(("127.0.0.1", proxy.port)) as connection:
        proxy.delay_seconds = 0.1
        ask(connection, b"x")
        assert slept == [0.1, 0.1], "once in each direction"
        slept.clear()
        proxy.delay_seconds, proxy.bytes_per_second = 0.0, 100_000
        ask(connection, b"x" * 20_000)
        assert sum(slept) == pytest.approx(2 * 20_000 / 100_000), "what the bytes take, in each direction"


def test_commands_are_named() -> None:
    assert statement(b"\x03SELECT 1") == "SELECT 1"
    assert statement(b"\x0e") == "<ping>"
    assert statement(b"\xfe") == "<command 254>"


class TestMariaDB:
    """Statements of a real client, through the proxy to a real server."""

    @pytest.fixture
    def proxy(self, mariadb: Address) -> Iterator[Proxy]:
        with Proxy(mariadb.port, packets) as proxy:
            yield proxy

    @pytest.fixture
    def table(self, mariadb: Address, mariadb_url: str, database_name: str) -> str:
        mariadb.execute("CREATE TABLE kept (id INT)", database_name)
        return database_name

    @pytest.mark.parametrize(("moment", "rows"), [(Moment.BEFORE, 0), (Moment.ANSWERED, 1)])
    def test_a_commit_is_lost_or_only_its_answer(
        self, mariadb: Address, proxy: Proxy, table: str, moment: Moment, rows: int
    ) -> None:
        import MySQLdb

        connection = Address(port=proxy.port).connect(table, autocommit=False)
        cut = proxy.cut(1, moment, lambda text: text.upper() == "COMMIT")
        connection.cursor().execute("INSERT INTO kept VALUES (1)")
        with pytest.raises(MySQLdb.OperationalError):
            connection.commit()
        connection.close()
        assert cut.happened
        # A connection that ended is rolled back a moment later.
        wait_for(lambda: mariadb.execute("SELECT count(*) FROM kept", table) == [(rows,)])

    def test_statements_are_recorded_in_order_whatever_their_size(self, proxy: Proxy, table: str) -> None:
        connection = Address(port=proxy.port).connect(table)
        proxy.calm()
        large = f"SELECT length('{'x' * 20_000_000}')"
        with contextlib.closing(connection.cursor()) as cursor:
            cursor.execute(large)
            assert cursor.fetchall() == ((20_000_000,),)
            cursor.execute("SELECT 'ü'")
        connection.ping()
        connection.close()
        assert [text[:11] for text in proxy.statements[:3]] == ["SELECT leng", "SELECT 'ü'", "<ping>"]
