"""From flags, environment and TOML file to the configuration; in that order, the first that speaks wins."""

import os
from collections.abc import Mapping, Sequence
from dataclasses import fields
from pathlib import Path
from typing import Any

from mlmd_api.settings_files import read_bytes, read_toml
from mlmd_metadata_store.addresses import parse_url
from mlmd_schemas.errors import InvalidArgument

from mlmd_server.config import (
    ArtifactsConfig,
    Config,
    DatabaseConfig,
    GraphqlConfig,
    ListenConfig,
    LogConfig,
    MysqlConfig,
    Tenant,
    TlsConfig,
)
from mlmd_server.options import BY_KEY, OPTIONS

CONFIG_VARIABLE = "MLMD_CONFIG"


def load_config(
    flags: Mapping[str, str],
    environment: Mapping[str, str],
    file: str | None,
    defaults: Mapping[str, Any] | None = None,
) -> Config:
    """Return the configuration; raises InvalidArgument naming the option, the value and the reason.

    `flags` holds what the command line gave, by option name; `file` is the TOML file's path, if there is one.
    `defaults` are values, by option name, of options that nobody gives, where they are others than usual.
    """
    path = file or environment.get(CONFIG_VARIABLE)
    from_file = read_toml(Path(path), "config") if path else {}
    unknown = sorted(set(from_file) - set(BY_KEY))
    if unknown:
        raise InvalidArgument(
            f"config: {path!r} sets {unknown[0]!r}, which is no option; see `mlmd-server serve --help`."
        )
    values: dict[str, Any] = {}
    given: dict[str, str] = {}
    for option in OPTIONS:
        if option.name in flags:
            said, source = flags[option.name], f"from --{option.name}"
        elif option.variable in environment:
            said, source = environment[option.variable], f"from {option.variable}"
        elif option.key in from_file:
            said, source = from_file[option.key], f"from {path}"
        else:
            values[option.key] = (defaults or {}).get(option.name, option.default)
            continue
        values[option.key] = option.parse(said, source)
        given[option.key] = source
    config = _config(values, given)
    if config.artifacts.external_roots or any(tenant.external_roots for _, tenant in config.tenants):
        from mlmd_server.tenant_walls import check_walls

        check_walls(config, values["tenants"], environment)
    return config


def _config(values: dict[str, Any], given: Mapping[str, str]) -> Config:
    tenants = _tenants(values["tenants"])
    url = values["database"] if "database" in given or not tenants else ""
    if "database" in given:
        _check_database(url, given["database"], is_needed=not tenants)
    _check_apart(url, tenants, values["tenants"])
    auth: str = values["auth"]
    return Config(
        database=_database(values, url),
        listen=_listen(values),
        artifacts=ArtifactsConfig(
            values["artifacts"],
            values["artifacts_endpoint"],
            values["artifacts_region"],
            values["artifacts_ca"],
            values["artifacts_public_endpoint"],
            values["artifacts_create_bucket"],
            values["artifacts_delete_versions"],
            tuple(values["artifacts_external_roots"]),
            values["sweep_every_seconds"],
            values["sweep_grace_seconds"],
            values["artifacts_addressing"],
        ),
        log=LogConfig(values["log_format"], values["log_level"]),
        tokens=Path(auth.removeprefix("tokens=")) if auth != "none" else None,
        tenants=tenants,
        workers=values["workers"],
        drain_seconds=values["drain_seconds"],
        graphql=GraphqlConfig(values["graphql_introspection"], values["graphql_max_depth"], values["graphql_max_cost"]),
        webhook_private_addresses=values["webhook_private_addresses"],
    )


def _check_database(url: str, source: str, *, is_needed: bool) -> None:
    """Raise InvalidArgument, without a password that the URL may hold, when it leads nowhere."""
    if not url:
        if is_needed:
            raise InvalidArgument(f"database: '' ({source}) is empty; give a URL, or leave it out for the default.")
        return
    try:
        parse_url(url)
    except InvalidArgument as error:
        raise InvalidArgument(f"{error.message.removesuffix('.')} ({source}).") from None


def _database(values: dict[str, Any], url: str) -> DatabaseConfig:
    return DatabaseConfig(
        url=url,
        enable_upgrade=values["enable_upgrade"],
        google_text=values["google_text"],
        pool_size=values["pool_size"],
        mysql=MysqlConfig(**{field.name: values[f"database_{field.name}"] for field in fields(MysqlConfig)}),
    )


def _listen(values: dict[str, Any]) -> ListenConfig:
    if not values["grpc_port"] and not values["http_port"]:
        raise InvalidArgument("grpc-port: 0, and http-port: 0 as well; give one of them a port to listen on.")
    if values["grpc_port"] == values["http_port"]:
        raise InvalidArgument(
            f"http-port: {values['http_port']} is the gRPC port already; choose another, or 0 for none."
        )
    return ListenConfig(
        host=values["host"],
        grpc_port=values["grpc_port"],
        http_port=values["http_port"],
        http_address=values["http_address"],
        max_message_bytes=values["max_message_bytes"],
        threads=values["threads"],
        streams=values["streams"],
        cors_origins=tuple(values["cors_origins"]),
        allowed_hosts=tuple(values["allowed_hosts"]),
        channel_arguments=values["grpc_channel_arguments"],
        tls=_tls(values["tls_cert"], values["tls_key"], values["tls_client_ca"]),
        grpc_engine=values["grpc_engine"],
    )


def _tls(certificate: str, key: str, client_ca: str) -> TlsConfig | None:
    if not certificate and not key:
        if client_ca:
            raise InvalidArgument("tls-client-ca: client certificates need TLS; give --tls-cert and --tls-key too.")
        return None
    if not certificate or not key:
        present, absent = ("tls-cert", "tls-key") if certificate else ("tls-key", "tls-cert")
        raise InvalidArgument(f"{absent}: missing, though --{present} is given; TLS needs both.")
    return TlsConfig(
        key=read_bytes(Path(key), "tls-key"),
        certificate=read_bytes(Path(certificate), "tls-cert"),
        client_ca=read_bytes(Path(client_ca), "tls-client-ca") if client_ca else None,
        paths=(Path(key), Path(certificate), Path(client_ca) if client_ca else None),
    )


def _tenants(path: str) -> tuple[tuple[str, Tenant], ...]:
    """Read the tenants: a table `[tenant.<name>]` each, with `database` and perhaps `bucket_prefix`."""
    if not path:
        return ()
    content = read_toml(Path(path), "tenants")
    tables = content.get("tenant", {})
    if strange := sorted(set(content) - {"tenant"}):
        raise InvalidArgument(
            f"tenants: {path!r} has {strange[0]!r}; it may hold tables [tenant.NAME] and nothing else."
        )
    if not isinstance(tables, dict):
        raise InvalidArgument(f"tenants: in {path!r} write each tenant as a table with its name, [tenant.NAME].")
    if not tables:
        raise InvalidArgument(f"tenants: {path!r} names no tenant; write a table [tenant.NAME] for each.")
    if "" in tables:
        raise InvalidArgument(f"tenants: {path!r} has a tenant without a name; the default database is --database.")
    return tuple((name, _tenant(f"tenants: the tenant {name!r} in {path!r}", table)) for name, table in tables.items())


def _check_apart(default: str, tenants: Sequence[tuple[str, Tenant]], path: str) -> None:
    """Raise InvalidArgument when two tenants, or one and the default, have one database: they would see each other."""
    owners: dict[tuple[object, ...], str] = {_whereabouts(default): "--database"} if default else {}
    for name, tenant in tenants:
        place, owner = _whereabouts(tenant.database), f"the tenant {name!r}"
        if place in owners:
            raise InvalidArgument(
                f"tenants: {owner} in {path!r} has the database of {owners[place]}; give it one of its own, or each "
                "would see and change what the other has."
            )
        owners[place] = owner


def _whereabouts(database: str) -> tuple[object, ...]:
    """Return where a database is, whoever logs in there and however the place is written."""
    url = parse_url(database)
    if url.drivername == "sqlite":
        return ("sqlite", os.path.realpath(url.database or ""))
    return (url.drivername, (url.host or "").lower(), url.port, url.database)


def _tenant(place: str, table: Any) -> Tenant:
    if not isinstance(table, dict) or not table.get("database"):
        raise InvalidArgument(f'{place} has no database; write database = "URL".')
    unknown = sorted(set(table) - {"database", "bucket_prefix", "external_roots"})
    if unknown:
        raise InvalidArgument(f"{place} sets {unknown[0]!r}; it may set database, bucket_prefix and external_roots.")
    for key in ("database", "bucket_prefix"):
        if not isinstance(table.get(key, ""), str):
            # The value is not shown: an address may hold a password.
            raise InvalidArgument(f"{place}: {key} is no text; write it in quotes.")
    try:
        parse_url(table["database"])
        roots = BY_KEY["artifacts_external_roots"].parse(table.get("external_roots", []), "external_roots")
    except InvalidArgument as error:
        raise InvalidArgument(f"{place}: {error.message}") from None
    return Tenant(table["database"], table.get("bucket_prefix", ""), tuple(roots))
