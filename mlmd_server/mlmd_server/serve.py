"""`mlmd-server serve`: says where it listens and when it is ready, serves, drains."""

import contextlib
import errno
import logging
import os
import socket
import sys
from collections.abc import Callable
from pathlib import Path

from mlmd_api.shared_counts import FOLDER_VARIABLE
from mlmd_schemas.errors import InvalidArgument, StoreError, Unavailable
from mlmd_schemas.shown import shown

from mlmd_server.config import Config, ListenConfig
from mlmd_server.counts_folder import folder_of_counts
from mlmd_server.descriptors import raise_descriptors, see_to_descriptors
from mlmd_server.memory import bound_memory
from mlmd_server.pulses import Pulses
from mlmd_server.signals import die_of, how_it_ended
from mlmd_server.statuses import FAILED
from mlmd_server.surroundings import discard_output, give_sqlite_a_place, hear_of_children

_LOG = logging.getLogger("mlmd.serve")


def serve(config: Config) -> int:
    """Serve until SIGTERM or SIGINT; returns the exit status, with a sentence on standard error when it is not 0."""
    raise_descriptors()
    set_up_log(config)
    warn_of_open_doors(config)
    bound_memory()
    give_sqlite_a_place(config.database_urls)
    try:
        see_to_descriptors()
        check_ports(config.listen)
        return _serve_alone(config) if config.workers == 1 else _serve_with_workers(config)
    except StoreError as error:
        say_why(error)
        return FAILED


def _serve_alone(config: Config) -> int:
    from mlmd_server.lifecycle import Ending, run

    os.environ.pop(FOLDER_VARIABLE, None)
    ending = Ending()
    ending.listen()
    run(config, ending, lambda: announce(config))
    return 0


def _serve_with_workers(config: Config) -> int:
    """Fork the workers, sharing everything imported; the first opening of the database happens in one process alone."""
    hear_of_children()
    with folder_of_counts() as folder:
        os.environ[FOLDER_VARIABLE] = str(folder)
        from mlmd_server import workers

        if (status := _prepare(config)) != 0:
            return status
        pulses = Pulses(config.workers)
        work, forget = _work(config, pulses), _forgetting(folder)
        supervisor = workers.Supervisor(config.workers, work, config.drain_seconds, forget, pulses)
        status = supervisor.run(lambda: announce(config))
    if supervisor.cut_off_by is not None:
        die_of(supervisor.cut_off_by)
    return status


def _prepare(config: Config) -> int:
    """Open the default database once, in a process that then ends; returns its exit status."""
    import mlmd_server.wiring as wiring
    from mlmd_server.workers import no_process

    try:
        pid = os.fork()
    except OSError as error:
        raise Unavailable(no_process(config.workers, error)) from error
    if pid:
        status = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
        if status < 0:  # it said nothing itself
            _LOG.error("the process that opens the database first %s", how_it_ended(status))
        return 0 if status == 0 else max(status, FAILED)
    status = FAILED
    try:
        stores = wiring.tenant_stores(config)
        wiring.authenticator(config)
        wiring.open_default(config, stores)
        stores.close()
        status = 0
    except StoreError as error:
        say_why(error)
    except Exception:  # noqa: BLE001 - the end of the process, which says why
        _LOG.exception("the database could not be opened")
    finally:
        logging.shutdown()
        sys.stderr.flush()
        os._exit(status)


def _work(config: Config, pulses: Pulses) -> Callable[[Callable[[], None], int], int]:
    def work(when_ready: Callable[[], None], parent: int) -> int:
        from mlmd_server.lifecycle import Ending, run
        from mlmd_server.workers import watch_parent

        ending = Ending()
        ending.listen(interrupt=False)
        watch_parent(parent, ending.ask)
        try:
            run(config, ending, when_ready, pulses)
        except StoreError as error:
            say_why(error)
            return FAILED
        return 0

    return work


def _forgetting(folder: Path) -> Callable[[int], None]:
    """Return what is to be done when a worker ended: its gauges go, and its counts stay in the sum."""
    gone: set[int] = set()

    def forget(pid: int) -> None:
        from mlmd_api.shared_counts import add_to_gone
        from prometheus_client.multiprocess import mark_process_dead

        mark_process_dead(pid, str(folder))
        gone.add(pid)
        gone.difference_update([ended for ended in gone if add_to_gone(folder, ended)])

    return forget


def say_why(error: StoreError) -> None:
    """Say on standard error why the server cannot start, with what its operator alone should know."""
    print("mlmd-server:", error.message, *getattr(error, "__notes__", ()), file=sys.stderr)


def check_ports(listen: ListenConfig) -> None:
    """Raise InvalidArgument when somebody listens on one of the ports: a shared one would not tell."""
    for port, option in ((listen.grpc_port, "grpc-port"), (listen.http_port, "http-port")):
        if port:
            bound_socket(listen.host, port, option).close()


def bound_socket(host: str, port: int, option: str) -> socket.socket:
    """Return a socket bound to a port that nobody has; raises InvalidArgument."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    bound = socket.socket(family, socket.SOCK_STREAM)
    bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        bound.bind((host, port))
    except (OSError, TypeError, UnicodeError) as error:  # the last two for a name that no host can have
        bound.close()
        reason = getattr(error, "strerror", None) or error
        if not isinstance(error, OSError) or isinstance(error, socket.gaierror) or error.errno == errno.EADDRNOTAVAIL:
            raise InvalidArgument(f"host: {shown(host)} is no address of this machine: {reason}.") from None
        raise InvalidArgument(f"{option}: cannot listen on {host}:{port}: {reason}.") from None
    return bound


def announce(config: Config) -> None:
    """Say on standard output where the server listens, and that it is ready; one line each.

    Calls are answered already: an output that nobody reads, or that is full, is no reason to end.
    """
    try:
        _announce(config)
    except OSError as error:
        _LOG.warning("standard output cannot be written (%s); the server serves", error.strerror)
        discard_output()


def _announce(config: Config) -> None:
    host = f"[{config.listen.host}]" if ":" in config.listen.host else config.listen.host
    for name, port in (("grpc", config.listen.grpc_port), ("http", config.listen.http_port)):
        if port:
            print(f"{name} listening on {host}:{port}")
    print("ready", flush=True)


def warn_of_open_doors(config: Config) -> None:
    """Warn when everybody who reaches the port may do everything."""
    if config.tokens is None and not config.is_loopback:
        with contextlib.suppress(OSError):  # nobody reads it
            print(
                f"mlmd-server: warning: --auth none on {config.listen.host}: whoever reaches the port may read and "
                "change everything; give --auth tokens=FILE, or let the network decide who reaches it.",
                file=sys.stderr,
            )


def set_up_log(config: Config) -> None:
    """Send the log to standard error in the format asked for."""
    from mlmd_api.journal import HumanFormatter, JsonFormatter

    handler = logging.StreamHandler()
    handler.setFormatter(JsonFormatter() if config.log.format == "json" else HumanFormatter())
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(config.log.level.upper())
    # Of urllib3 not for the noise alone: in detail it tells addresses, and who reads a signed one may use it.
    for noisy in ("uvicorn", "alembic", "sqlalchemy", "urllib3", "mlmd_metadata_store.connections.BoundedPool"):
        logging.getLogger(noisy).setLevel(logging.WARNING)
