"""From the configuration to the parts of a running server, put together."""

import logging
from dataclasses import asdict, dataclass
from functools import partial
from typing import TYPE_CHECKING

from mlmd_api.artifacts import TenantArtifacts, artifact_methods, artifact_streams
from mlmd_api.callers import Authenticator, Everybody, TokenFile
from mlmd_api.diagnosis import diagnosis_methods
from mlmd_api.dispatch import Dispatcher
from mlmd_api.errands import Errands
from mlmd_api.journal import Journal
from mlmd_api.measurements import Measurements
from mlmd_api.message_sizes import Limits
from mlmd_api.methods import by_path, store_methods, store_streams
from mlmd_api.registry import TenantRegistries, registry_methods, registry_streams
from mlmd_api.server_info import ServerFacts, server_methods
from mlmd_api.tenants import DEFAULT_TENANT, TenantStores
from mlmd_artifact_store.artifacts import Artifacts
from mlmd_artifact_store.calls import ARTIFACT_CALLS, ARTIFACT_STREAMS
from mlmd_artifact_store.care_calls import CARE_CALLS
from mlmd_artifact_store.externals import ExternalRoots
from mlmd_artifact_store.opening import ReachOptions, open_place
from mlmd_artifact_store.requests import Requests
from mlmd_lineage.methods import LINEAGE_METHODS
from mlmd_lineage.subgraph import MOST_HOPS
from mlmd_metadata_store.addresses import place_of
from mlmd_metadata_store.connections import LEAST_IDLE, Connections
from mlmd_metadata_store.list_options import LARGEST_PAGE
from mlmd_metadata_store.methods import METADATA_METHODS, METADATA_STREAMS
from mlmd_metadata_store.options import StoreOptions
from mlmd_metadata_store.store import Store
from mlmd_model_registry.kubeflow.methods import KUBEFLOW_METHODS
from mlmd_model_registry.methods import REGISTRY_METHODS
from mlmd_model_registry.registry import Registry, announce_changes
from mlmd_schemas.errors import Aborted, InvalidArgument, StoreError, Unavailable

from mlmd_server import version
from mlmd_server.config import BUCKET_ADDRESSING, Config, DatabaseConfig, TlsConfig
from mlmd_server.pulses import Pulses

if TYPE_CHECKING:
    from mlmd_api.certificates import Certificates
    from mlmd_api.graphql.engine import GraphqlEngine
    from mlmd_api.grpc.server import GrpcServer
    from mlmd_api.rest.server import HttpServer

_LOG = logging.getLogger("mlmd.server")
FEATURES = (
    "admin",
    "archive",
    "artifacts",
    "collections",
    "connect",
    "filter-query",
    "graphql",
    "grpc-web",
    "idempotency-keys",
    "kubeflow-model-registry",
    "lineage",
    "metrics",
    "model-registry",
    "runs",
)


@dataclass(slots=True)
class Parts:
    """The parts of one process; a listener that is turned off is None."""

    stores: TenantStores
    measurements: Measurements
    dispatcher: Dispatcher
    artifacts: TenantArtifacts
    authenticator: Authenticator
    kubeflow: Dispatcher
    """Answers the registry's REST API, which no other wire has."""
    registries: TenantRegistries
    connections: Connections
    """What the stores keep open on the servers of their databases."""
    grpc: "GrpcServer | None" = None
    http: "HttpServer | None" = None
    certificates: "Certificates | None" = None
    """What both listeners show; None without TLS."""


def store_options(database: DatabaseConfig) -> StoreOptions:
    """Return how the engine opens a database."""
    return StoreOptions(
        enable_upgrade=database.enable_upgrade,
        downgrade_to=database.downgrade_to,
        google_text=database.google_text,
        read_only=database.read_only,
        create_database=database.create,
        pool_size=database.pool_size,
        **asdict(database.mysql),
    )


def open_connections(config: Config) -> Connections:
    """Return what bounds the idle connections of one process; all workers together keep what one of them would."""
    most_idle = 2 * config.database.pool_size // config.workers
    databases = len(config.tenants) + bool(config.database.url)
    return Connections(max(LEAST_IDLE, most_idle), visits=databases > 1)


def tenant_stores(config: Config, connections: Connections | None = None) -> TenantStores:
    """Return the stores of all tenants, none opened yet.

    Where the server's own files keep one from being opened, the log says where; its callers hear that it cannot be.
    """
    options = store_options(config.database)
    connections = connections or open_connections(config)
    urls = {name: tenant.database for name, tenant in config.tenants}
    if config.database.url:
        urls[DEFAULT_TENANT] = config.database.url

    def opened(url: str) -> Store:
        try:
            return announce_changes(Store.open(url, options, connections))
        except StoreError as error:
            # What begins with the option's name is for whoever sets it: it says where the server keeps its files.
            if url == config.database.url or not error.message.startswith("database: "):
                raise
            _LOG.warning("the store of a tenant cannot be opened: %s", error.message)
            raise Unavailable("The store of this tenant cannot be opened; the server's log says why.") from error

    return TenantStores(urls, opened)


def open_default(config: Config, stores: TenantStores) -> None:
    """Open the default database, again when another server got in the way; raises what opening raises.

    A note on the error says where the database was sought, for whoever started the process.
    """
    for left in range(config.database.opening_retries if config.database.url else -1, -1, -1):
        try:
            stores.of(DEFAULT_TENANT)
            return
        except StoreError as error:
            if left and isinstance(error, Aborted):
                continue
            if not isinstance(error, InvalidArgument):  # which names the value itself
                error.add_note(place_of(config.database.url, config.database.mysql.socket))
            raise


def tenant_artifacts(config: Config, stores: TenantStores) -> TenantArtifacts:
    """Return the artifact stores of all tenants, none put together yet; raises InvalidArgument for a bad URI.

    A tenant's bytes are below its own `bucket_prefix`, or below `--artifacts`; in both, below its name.
    """
    told = config.artifacts
    paths = BUCKET_ADDRESSING[told.addressing]
    reach = ReachOptions(told.endpoint, told.region, told.ca, told.public_endpoint, told.delete_versions, paths)
    roots = {name: tenant.bucket_prefix or told.uri for name, tenant in config.tenants}
    # A root of the default database's is not the tenants': what one may read is not everybody's to read.
    externals = {name: tenant.external_roots for name, tenant in config.tenants}
    blobs = {uri: open_place(uri, reach) for uri in {told.uri, *roots.values()}}
    errands = Errands(handing_over=bool(config.listen.grpc_port or config.listen.http_port))

    def open_tenant(tenant: str) -> Requests:
        store = stores.of(tenant)
        if not isinstance(store, Store):
            raise TypeError("artifacts need a store of this engine")
        place = blobs[roots.get(tenant, told.uri)]
        if told.create_bucket:
            errands.done(place.make)
        artifacts = Artifacts(store, place, tenant, ExternalRoots(externals.get(tenant, told.external_roots), reach))
        return Requests(artifacts, http_address(config), told.sweep_grace_seconds)

    return TenantArtifacts(open_tenant, errands)


def tenant_registries(config: Config, artifacts: TenantArtifacts) -> TenantRegistries:
    """Return the model registries of all tenants, none put together yet."""

    def open_tenant(tenant: str) -> Registry:
        requests = artifacts.of(tenant)
        return Registry(requests.artifacts.store, requests, private_webhooks=config.webhook_private_addresses)

    return TenantRegistries(open_tenant)


def authenticator(config: Config) -> Authenticator:
    """Return who decides who is asking; raises InvalidArgument for a token file that cannot be read."""
    return Everybody(config.database.read_only) if config.tokens is None else TokenFile(config.tokens)


def assemble(config: Config, journal: Journal | None = None, pulses: Pulses | None = None) -> Parts:
    """Open the default database and bind the ports; raises StoreError when something is not to be had.

    With `pulses` this is one of several workers, and says when another of them is silent.
    """
    connections = open_connections(config)
    stores = tenant_stores(config, connections)
    open_default(config, stores)
    artifacts = tenant_artifacts(config, stores)
    registries = tenant_registries(config, artifacts)
    measurements = Measurements(stores.pool_use, (lambda: len(pulses.silent())) if pulses else None)
    methods = [
        *store_methods((*METADATA_METHODS, *LINEAGE_METHODS, *REGISTRY_METHODS), stores),
        *artifact_methods((*ARTIFACT_CALLS, *CARE_CALLS), artifacts),
        *registry_methods(registries),
        *server_methods(_facts(config), stores),
        *diagnosis_methods(stores, artifacts),
    ]
    streams = [
        *store_streams(METADATA_STREAMS, stores),
        *artifact_streams(ARTIFACT_STREAMS, artifacts),
        *registry_streams(registries),
    ]
    limits = Limits(config.listen.max_message_bytes)
    identify = authenticator(config)
    dispatcher = Dispatcher(by_path(methods), identify, measurements, journal or Journal(), limits, by_path(streams))
    kubeflow_methods = by_path(store_methods(KUBEFLOW_METHODS, stores))
    kubeflow = Dispatcher(
        kubeflow_methods, identify, measurements, journal or Journal(), limits, untaken=dispatcher.untaken
    )
    parts = Parts(stores, measurements, dispatcher, artifacts, identify, kubeflow, registries, connections)
    _listen(config, parts, pulses)
    return parts


def http_address(config: Config) -> str:
    """Return the base address of the HTTP listener, empty when it is off."""
    listen = config.listen
    if not listen.http_port or listen.http_address:
        return listen.http_address
    host = f"[{listen.host}]" if ":" in listen.host else listen.host
    return f"{'https' if listen.tls else 'http'}://{host}:{listen.http_port}"


def _facts(config: Config) -> ServerFacts:
    return ServerFacts(
        version=version(),
        features=FEATURES,
        http_address=http_address(config),
        max_message_bytes=config.listen.max_message_bytes,
        max_page_size=LARGEST_PAGE,
        max_hops=MOST_HOPS,
    )


def _listen(config: Config, parts: Parts, pulses: Pulses | None) -> None:
    listen = config.listen
    if listen.tls:
        parts.certificates = _certificates(listen.tls, parts.measurements)
    if listen.grpc_port:
        from mlmd_api.grpc.server import GrpcServer, GrpcSettings

        settings = GrpcSettings(
            host=listen.host,
            port=listen.grpc_port,
            max_message_bytes=listen.max_message_bytes,
            threads=listen.threads,
            streams=listen.streams,
            shared_port=config.workers > 1,
            tls=parts.certificates,
            channel_arguments=listen.channel_arguments,
            engine=listen.grpc_engine,
        )
        parts.grpc = GrpcServer(parts.dispatcher, settings)
    if listen.http_port:
        from mlmd_api.rest.routes import Surfaces
        from mlmd_api.rest.server import HttpServer, HttpSettings

        from mlmd_server.web_doors import allowed_hosts, cors_origins

        http = HttpSettings(
            host=listen.host,
            port=listen.http_port,
            threads=listen.threads,
            streams=listen.streams,
            shared_port=config.workers > 1,
            cors_origins=cors_origins(config),
            allowed_hosts=allowed_hosts(config),
            tls=parts.certificates,
        )
        surfaces = Surfaces(parts.artifacts, _graphql(config, parts), parts.kubeflow, parts.registries)
        ping = partial(_ping, parts.stores, pulses)
        parts.http = HttpServer(parts.dispatcher, http, ping, parts.measurements, surfaces)


def _ping(stores: TenantStores, pulses: Pulses | None) -> None:
    """Raise the StoreError that says why calls of new connections may not be answered."""
    if pulses and (trouble := pulses.trouble()):
        raise Unavailable(trouble)
    stores.ping()


def _certificates(tls: TlsConfig, measurements: Measurements) -> "Certificates":
    from mlmd_api.certificates import Certificates, PemFiles, Pems

    files = PemFiles(*tls.paths) if tls.paths else None
    return Certificates(Pems(tls.key, tls.certificate, tls.client_ca), files, measurements.note_certificate)


def _graphql(config: Config, parts: Parts) -> "GraphqlEngine":
    from mlmd_api.graphql.engine import GraphqlEngine, GraphqlSettings
    from mlmd_api.graphql.limits import GraphqlLimits

    told = config.graphql
    settings = GraphqlSettings(told.introspection, GraphqlLimits(depth=told.max_depth, cost=told.max_cost))
    return GraphqlEngine(parts.stores, parts.dispatcher.methods, parts.artifacts, settings)
