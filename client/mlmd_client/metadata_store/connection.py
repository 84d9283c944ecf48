"""How a MetadataStore reaches its store, calls it, and tries again."""

import logging
import time
from collections.abc import Sequence
from typing import Any, Self

from google.protobuf.message import Message
from mlmd_schemas.chance import CHANCE
from mlmd_schemas.counting import counted
from mlmd_schemas.pb import metadata_store_pb2 as pb
from mlmd_schemas.pb import metadata_store_service_pb2 as service

from mlmd_client.metadata_store import errors
from mlmd_client.transport import CallError, GrpcTransport, Tls, Transport, call_entry_point

_LOG = logging.getLogger("mlmd.client")
_SERVICE = "/ml_metadata.MetadataStoreService/"
_ATTEMPTS = 5
_MEAN_PAUSE_SECONDS = 2.0
_MEND = " Schema migration is disabled here; MetadataStore(config, enable_upgrade_migration=True) enables it."


class ExtraOptions:
    """Options that have no effect; every method takes them."""

    def __init__(self, euc: object = None) -> None:
        """Take anything."""


class Connection:
    """The part of a MetadataStore that makes calls."""

    def __init__(self, config: Any, enable_upgrade_migration: bool = False) -> None:
        """Connect as the configuration says.

        Args:
            config: `MetadataStoreClientConfig` leads to a server. `ConnectionConfig` opens a database in this process,
                which needs `pip install 'mlmd-server[server]'`; there, its `retry_options` say how often a call that
                was ABORTED is tried.
            enable_upgrade_migration: Bring a database of an older schema version to today's.

        Raises ValueError for another configuration, and for an upgrade through a server; RuntimeError when the database
        cannot be opened.
        """
        self._config = config
        self._max_num_retries = _ATTEMPTS
        self._grpc_timeout_sec: float | None = None
        if isinstance(config, pb.ConnectionConfig):
            self._transport = open_database(config, enable_upgrade_migration)
            if config.HasField("retry_options"):
                self._max_num_retries = config.retry_options.max_num_retries
        elif isinstance(config, pb.MetadataStoreClientConfig):
            if enable_upgrade_migration:
                raise ValueError(
                    "enable_upgrade_migration: a server's database is upgraded where the server runs "
                    "(mlmd-server serve --enable-upgrade), not through its clients."
                )
            self._transport = _server(config)
            if config.HasField("client_timeout_sec"):
                self._grpc_timeout_sec = config.client_timeout_sec
        else:
            raise ValueError(
                f"config: {type(config).__name__} is neither a ConnectionConfig nor a MetadataStoreClientConfig."
            )

    @classmethod
    def over(cls, transport: Transport) -> Self:
        """Use a way to a store that is open already."""
        made = cls.__new__(cls)
        made._config = None
        made._max_num_retries = _ATTEMPTS
        made._grpc_timeout_sec = None
        made._transport = transport
        return made

    @property
    def pipeline_asset(self) -> None:
        """None, with a warning: pipeline assets are of Google's own service."""
        _LOG.warning("pipeline_asset: this store has none.")

    def close(self) -> None:
        """Give back the connection; ml_metadata leaves that to the garbage collector, and so may you."""
        self._transport.close()

    def _call(
        self, method_name: str, request: Message, response: Message, extra_options: ExtraOptions | None = None
    ) -> None:
        """Call a method and fill the response, again as long as it is ABORTED and attempts are left; 0 is no end."""
        left = self._max_num_retries
        while True:
            try:
                return self._call_method(method_name, request, response)
            except errors.AbortedError:
                left -= 1
                if left == 0:
                    _LOG.error(
                        "%s was aborted %s and is given up.", method_name, counted(self._max_num_retries, "time")
                    )
                    raise
            time.sleep(CHANCE.expovariate(1.0 / _MEAN_PAUSE_SECONDS))

    def _call_method(self, method_name: str, request: Message, response: Message) -> None:
        """Call a method once and fill the response; raises StatusError of the class of the code."""
        try:
            answer = self._transport.unary(
                _SERVICE + method_name, request, type(response), timeout_seconds=self._grpc_timeout_sec
            )
        except CallError as error:
            raise errors.make_exception(error.message, int(error.code)) from error
        response.CopyFrom(answer)

    def _ask(self, method_name: str, **fields: Any) -> Any:
        """Call a method with these fields in its request, and return the response."""
        request = getattr(service, f"{method_name}Request")(**fields)
        response = getattr(service, f"{method_name}Response")()
        self._call(method_name, request, response)
        return response


def open_database(
    config: pb.ConnectionConfig, enable_upgrade: bool = False, downgrade_to_schema_version: int = -1
) -> Transport:
    """Open a database in this process; raises RuntimeError when that fails, MissingExtra for want of a package."""
    try:
        transport: Transport = call_entry_point(
            "connection_config", config, enable_upgrade, downgrade_to_schema_version
        )
        return transport
    except CallError as error:
        mend = _MEND if error.code == errors.FAILED_PRECONDITION and "upgrading enabled" in error.message else ""
        raise RuntimeError(error.message + mend) from error


def _server(config: pb.MetadataStoreClientConfig) -> GrpcTransport:
    address = f"{config.host}:{config.port}"
    return GrpcTransport(address, tls=_tls(config), options=_options(config))


def _options(config: pb.MetadataStoreClientConfig) -> Sequence[tuple[str, int | str]]:
    options: list[tuple[str, int | str]] = [("grpc.enable_http_proxy", 1)]
    told = config.channel_arguments
    if told.HasField("max_receive_message_length"):
        options.append(("grpc.max_receive_message_length", told.max_receive_message_length))
    if told.HasField("http2_max_ping_strikes"):
        options.append(("grpc.http2.max_ping_strikes", told.http2_max_ping_strikes))
    return options


def _tls(config: pb.MetadataStoreClientConfig) -> Tls | None:
    if not config.HasField("ssl_config"):
        return None
    told = config.ssl_config

    def pem(name: str) -> bytes | None:
        return getattr(told, name).encode("ascii") if told.HasField(name) else None

    return Tls(ca=pem("custom_ca"), key=pem("client_key"), certificate=pem("server_cert"))
