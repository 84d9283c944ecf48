"""The settings of the process, as one frozen tree."""

from dataclasses import dataclass
from pathlib import Path

DEFAULT_DATABASE = "sqlite:///mlmd-data/metadata.db"
DEFAULT_ARTIFACTS = "mlmd-data/artifacts"
GRPC_ENGINES = ("core", "grpcio")
"""Who takes calls from gRPC core: threads of our own, or grpcio's Python server. The first is the default."""

AUTO = "auto"
"""Stands for the web origins and host names that suit how the server listens."""
BUCKET_ADDRESSING = {AUTO: None, "path": True, "virtual-host": False}
"""Whether a bucket is named by the path, for each way of saying so; None leaves it to the address."""


@dataclass(frozen=True, slots=True)
class MysqlConfig:
    """How MySQL is connected to, beyond the URL; files are paths, `ssl_mode` is MySQL's own."""

    socket: str = ""
    ssl_mode: str = ""
    ssl_ca: str = ""
    ssl_capath: str = ""
    ssl_cert: str = ""
    ssl_key: str = ""
    ssl_cipher: str = ""


@dataclass(frozen=True, slots=True)
class DatabaseConfig:
    """Where the default tenant's facts are and how every database is opened.

    `opening_retries` counts further attempts to open it when another server gets in the way.
    """

    url: str
    enable_upgrade: bool = False
    downgrade_to: int = -1
    google_text: bool = False
    create: bool = True
    read_only: bool = False
    opening_retries: int = 5
    pool_size: int = 16
    mysql: MysqlConfig = MysqlConfig()


@dataclass(frozen=True, slots=True)
class TlsConfig:
    """TLS of both listeners, as PEM; with `client_ca` the client has to show a certificate that it signed.

    `paths` are the files of the three where it came from files, which may be renewed.
    """

    key: bytes
    certificate: bytes
    client_ca: bytes | None = None
    paths: tuple[Path, Path, Path | None] | None = None


@dataclass(frozen=True, slots=True)
class ListenConfig:
    """Where calls come in; a port of 0 turns its listener off. Sizes in bytes."""

    host: str
    grpc_port: int
    http_port: int
    http_address: str
    max_message_bytes: int
    threads: int
    streams: int
    cors_origins: tuple[str, ...]
    channel_arguments: tuple[tuple[str, int | str], ...]
    tls: TlsConfig | None
    grpc_engine: str = GRPC_ENGINES[0]
    allowed_hosts: tuple[str, ...] = (AUTO,)


@dataclass(frozen=True, slots=True)
class GraphqlConfig:
    """What `/graphql` allows."""

    introspection: bool = True
    max_depth: int = 20
    max_cost: int = 200_000


@dataclass(frozen=True, slots=True)
class ArtifactsConfig:
    """Where the bytes of artifacts are, as a URI or a folder, how an object store is reached, when it is swept."""

    uri: str
    endpoint: str = ""
    region: str = ""
    ca: str = ""
    public_endpoint: str = ""
    create_bucket: bool = False
    delete_versions: bool = False
    external_roots: tuple[str, ...] = ()
    sweep_every_seconds: float = 0.0
    sweep_grace_seconds: float = 7 * 86400.0
    addressing: str = AUTO
    """A key of `BUCKET_ADDRESSING`."""


@dataclass(frozen=True, slots=True)
class LogConfig:
    """How the log looks: `human` or `json`, and from which level on."""

    format: str
    level: str


@dataclass(frozen=True, slots=True)
class Tenant:
    """A tenant's database, the prefix of its bytes, and where it may read bytes that others wrote."""

    database: str
    bucket_prefix: str = ""
    external_roots: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Config:
    """Everything that `mlmd-server serve` can be told."""

    database: DatabaseConfig
    listen: ListenConfig
    artifacts: ArtifactsConfig
    log: LogConfig
    tokens: Path | None
    tenants: tuple[tuple[str, Tenant], ...]
    workers: int
    drain_seconds: float
    graphql: GraphqlConfig = GraphqlConfig()
    webhook_private_addresses: bool = False

    @property
    def database_urls(self) -> tuple[str, ...]:
        """The databases of all tenants, the default one first, which may be empty."""
        return (self.database.url, *(tenant.database for _, tenant in self.tenants))

    @property
    def is_loopback(self) -> bool:
        """Tell whether only this machine can reach the listeners."""
        host = self.listen.host
        return host in ("localhost", "::1") or host.startswith("127.")
