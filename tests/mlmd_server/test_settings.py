"""Which value wins, and what a wrong one is told."""

import json
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pytest
from mlmd_schemas.errors import InvalidArgument
from mlmd_server.cli import main, make_parser
from mlmd_server.config import DEFAULT_DATABASE
from mlmd_server.options import OPTIONS, Option, channel_arguments
from mlmd_server.settings import load_config


def test_the_defaults_are_those_of_the_manual() -> None:
    config = load_config({}, {}, None)
    assert config.database.url == DEFAULT_DATABASE == "sqlite:///mlmd-data/metadata.db"
    assert (config.listen.host, config.listen.grpc_port, config.listen.http_port) == ("127.0.0.1", 8080, 8081)
    assert (config.workers, config.tokens, config.tenants, config.listen.tls) == (1, None, (), None)
    assert config.listen.max_message_bytes == 104857600
    assert config.is_loopback


def test_flags_win_over_environment_over_file_over_defaults(tmp_path: Path) -> None:
    file = tmp_path / "mlmd.toml"
    file.write_text('host = "::1"\ngrpc_port = 1\nhttp_port = 2\nworkers = 3\n')
    environment = {"MLMD_GRPC_PORT": "11", "MLMD_HTTP_PORT": "12"}
    config = load_config({"grpc-port": "21"}, environment, str(file))
    assert (config.listen.grpc_port, config.listen.http_port, config.listen.host, config.workers) == (21, 12, "::1", 3)
    assert load_config({}, {"MLMD_CONFIG": str(file)}, None).workers == 3


SAID = {
    "database": "sqlite:///other.db",
    "artifacts": "/srv/bytes",
    "artifacts-external-roots": "s3://bucket/prefix",
    "grpc-port": "9000",
    "http-port": "9001",
    "auth": "tokens=tokens.toml",
    "log-format": "json",
    "log-level": "debug",
    "artifacts-addressing": "path",
    "database-ssl-mode": "REQUIRED",
    "cors-origins": "https://a.example",
    "allowed-hosts": "a.example",
    "http-address": "https://a.example",
    "graphql-introspection": "false",
    "grpc-engine": "grpcio",
    "grpc-channel-arguments": "grpc.x=1",
}
"""Another value than the default, of options of which "x", "true" or a number more is none."""


def another_value(option: Option, folder: Path) -> str:
    """Return a value that is not the option's default; where it names a file, the file is there."""
    if option.name == "tenants":
        (folder / "tenants.toml").write_text('[tenant.vision]\ndatabase = "sqlite:///v.db"\n')
        return str(folder / "tenants.toml")
    if option.name.startswith("tls-"):
        (folder / option.name).write_text(option.name)
        return str(folder / option.name)
    if option.name in SAID:
        return SAID[option.name]
    if isinstance(option.default, bool):
        return "true"
    return "x" if isinstance(option.default, str) else str(option.default + 1)


@pytest.mark.parametrize("option", OPTIONS, ids=lambda option: option.name)
def test_every_option_can_be_said_in_three_ways(option: Option, tmp_path: Path) -> None:
    value, file, empty = another_value(option, tmp_path), tmp_path / "mlmd.toml", tmp_path / "empty"
    file.write_text(f"{option.key} = {json.dumps(value)}\n")
    empty.write_text("")
    beside = {}
    if option.name.startswith("tls-"):
        beside = {name: str(empty) for name in ("tls-cert", "tls-key") if name != option.name}
    parsed = vars(make_parser().parse_args(["serve", f"--{option.name}", value]))
    assert parsed[option.name] == value
    said = load_config({**beside, option.name: value}, {}, None)
    assert said == load_config(beside, {option.variable: value}, None)
    assert said == load_config(beside, {}, str(file))
    assert said != load_config({**beside, option.name: str(empty)} if beside else {}, {}, None)


ELSEWHERE: dict[str, set[str]] = {
    "database": {"database.url"},
    "artifacts": {"artifacts.uri"},
    "auth": {"tokens"},
    "tenants": {"tenants", "database.url"},
    "grpc-channel-arguments": {"listen.channel_arguments"},
    "tls-key": {"listen.tls.key", "listen.tls.paths.0"},
    "tls-cert": {"listen.tls.certificate", "listen.tls.paths.1"},
    "tls-client-ca": {"listen.tls.client_ca", "listen.tls.paths.2"},
}
"""Where options are in the configuration that have other names there."""


def leaves(value: Any, path: tuple[str, ...] = ()) -> dict[str, Any]:
    """Return the values of a configuration by where they are."""
    if isinstance(value, dict):
        return {key: leaf for name, one in value.items() for key, leaf in leaves(one, (*path, name)).items()}
    if path[-1:] == ("paths",):
        return {f"{'.'.join(path)}.{place}": one for place, one in enumerate(value)}
    return {".".join(path): value}


@pytest.mark.parametrize("option", OPTIONS, ids=lambda option: option.name)
def test_an_option_is_kept_in_its_place_and_in_no_other(option: Option, tmp_path: Path) -> None:
    beside, value = {}, another_value(option, tmp_path)
    if option.name.startswith("tls-"):
        beside = {name: str(tmp_path / "empty") for name in ("tls-cert", "tls-key")}
        (tmp_path / "empty").write_text("")
    usual, said = (leaves(asdict(load_config(flags, {}, None))) for flags in (beside, {**beside, option.name: value}))
    changed = {place for place in said if said[place] != usual[place]}
    if option.name in ELSEWHERE:
        assert changed == ELSEWHERE[option.name]
        return
    (place,) = changed
    parts = place.split(".")
    assert option.key in ("_".join(parts), "_".join(parts[1:]), "_".join([parts[0], *parts[2:]]))
    assert said[place] == option.parse(value, "")


NO_ADDRESSES = [
    "http://[",
    "store.example",
    "http://h:99999",
    "ftp://h",
    "http://h i",
    "http://h/?q",
    "http://u@h",
    " ",
]
NO_ORIGINS = [
    *("https://a.example/", "a.example", "HTTPS://a.example", "https://A.example", "https://a.example:443", "http://["),
    *("https://*.a.example", "https://a.example/path", "auto,https://a.example", "http://a.example:80"),
]
NO_HOSTS = ["http://a.example", "a.example:8081", "*.a.example", "a.example/", "[", "auto,a.example", "bücher.example"]


@pytest.mark.parametrize(
    ("name", "value", "reason"),
    [
        ("grpc-port", "http", "is no whole number"),
        ("grpc-port", "65536", "is not between 0 and 65535"),
        ("http-port", "-1", "is not between 0 and 65535"),
        ("workers", "0", "is not between 1 and 256"),
        ("threads", "many", "is no whole number"),
        ("max-message-bytes", "1", "is not between 1024 and"),
        ("drain-seconds", "soon", "is no number of seconds"),
        ("drain-seconds", "nan", "is not between"),
        ("host", "", "is empty; write 127.0.0.1"),
        ("host", "localhost:8080", "is no name or address; the ports have options of their own"),
        ("auth", "password", "is neither none nor tokens=FILE"),
        ("auth", "tokens=", "is neither none nor tokens=FILE"),
        ("log-format", "xml", "is not one of human, json"),
        ("log-level", "loud", "is not one of"),
        ("enable-upgrade", "maybe", "is neither true nor false"),
        ("database-ssl-mode", "ON", "is not one of"),
        *(("http-address", value, "is no address; write") for value in NO_ADDRESSES),
        *(("cors-origins", value, "which no browser says of a page; write scheme://host") for value in NO_ORIGINS),
        *(("allowed-hosts", value, "which is no host's name; write it without") for value in NO_HOSTS),
        ("grpc-channel-arguments", "grpc.x", "which is not key=value"),
        ("grpc-channel-arguments", "=1", "which is not key=value"),
        ("grpc-channel-arguments", "grpc.x=2147483648", "more than 32 bits"),
        ("grpc-channel-arguments", "grpc.x=-2147483649", "more than 32 bits"),
        ("grpc-channel-arguments", f"grpc.x={'9' * 5000}", "more than 32 bits"),
    ],
)
def test_a_wrong_value_is_told_by_option_value_and_reason(name: str, value: str, reason: str) -> None:
    for flags, environment in (({name: value}, {}), ({}, {f"MLMD_{name.upper().replace('-', '_')}": value})):
        with pytest.raises(InvalidArgument) as caught:
            load_config(flags, environment, None)
        assert caught.value.message.startswith(f"{name}: {value!r}"[:200])
        assert reason in caught.value.message


LONG = "x" * 5000


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("workers", LONG),
        ("log-level", LONG),
        ("auth", LONG),
        ("drain-seconds", LONG),
        ("enable-upgrade", LONG),
        ("http-address", LONG),
        ("cors-origins", LONG),
        ("allowed-hosts", f"{LONG}*"),
        ("host", f"{LONG}:1"),
        ("grpc-channel-arguments", LONG),
        ("artifacts", f"gopher://{LONG}"),
        ("artifacts-external-roots", LONG),
        ("database", f"mysql://{LONG}"),
        ("database", f"mysql://h:{LONG}/d"),
        ("database", f"sqlite:///m.db?{LONG}"),
        ("database", LONG),
        ("tenants", LONG),
        ("tenants", f"/{'x' * 255}/" * 20),
    ],
)
def test_a_long_value_is_cut_where_it_is_told(name: str, value: str) -> None:
    with pytest.raises(InvalidArgument) as error:
        load_config({name: value}, {}, None)
    assert error.value.message.startswith(f"{name}: ")
    assert "…" in error.value.message
    assert error.value.message.endswith("."), "the reason and the mend are there"
    assert len(error.value.message) < 700


def test_a_long_word_of_a_command_line_is_cut(capsys: pytest.CaptureFixture[str]) -> None:
    for words in (["migrate", "--workers", LONG], [LONG], ["serve", f"--{LONG}"]):
        with pytest.raises(SystemExit) as ended:
            main(words)
        assert ended.value.code == 2
        assert len(capsys.readouterr().err.splitlines()[-1]) < 500


def test_origins_hosts_and_the_address_are_taken_as_they_are_compared() -> None:
    origins = ("https://a.example", "http://localhost:3000", "http://[::1]:1", "chrome-extension://abc", "null", "*")
    assert load_config({"cors-origins": ", ".join(origins)}, {}, None).listen.cors_origins == origins
    hosts = {"allowed-hosts": "a.example,10.0.0.7,[::1],::2,my_server,loopback"}
    told = ("a.example", "10.0.0.7", "::1", "::2", "my_server", "loopback")
    assert load_config(hosts, {}, None).listen.allowed_hosts == told
    for address in ("http://127.0.0.1:8081", "https://store.example/mlmd/", "http://[::1]:8081"):
        assert load_config({"http-address": address}, {}, None).listen.http_address == address


@pytest.mark.parametrize("option", ["host", "artifacts", "database", "database_ssl_ca", "auth"])
def test_no_value_has_a_nul(option: str, tmp_path: Path) -> None:
    file = tmp_path / "mlmd.toml"
    file.write_text(f'{option} = "secret\\u0000x"\n')
    with pytest.raises(InvalidArgument, match=r"has a NUL character; leave it out\.$") as caught:
        load_config({}, {}, str(file))
    assert caught.value.message.startswith(f"{option.replace('_', '-')}: ")
    assert "secret" not in caught.value.message


def test_an_address_may_stand_in_brackets() -> None:
    config = load_config({"host": "[::1]"}, {}, None)
    assert (config.listen.host, config.is_loopback) == ("::1", True)


def test_a_database_that_leads_nowhere_is_told_by_where_it_came_from(tmp_path: Path) -> None:
    file = tmp_path / "mlmd.toml"
    file.write_text('database = "facts.db"\n')
    with pytest.raises(InvalidArgument, match=rf"^database: 'facts.db' is no database URL; .* \(from {file}\)\.$"):
        load_config({}, {}, str(file))
    with pytest.raises(InvalidArgument, match=r"^database: '' \(from MLMD_DATABASE\) is empty; give a URL"):
        load_config({}, {"MLMD_DATABASE": ""}, None)


def test_whoever_may_call_can_be_said_outright() -> None:
    assert load_config({"auth": "none"}, {"MLMD_AUTH": "tokens=x"}, None).tokens is None
    assert load_config({}, {"MLMD_AUTH": "tokens=t=1"}, None).tokens == Path("t=1")


def test_channel_arguments_are_numbers_where_they_can_be() -> None:
    assert channel_arguments("a=1,,b=text,c=-1,d=x=y") == (("a", 1), ("b", "text"), ("c", -1), ("d", "x=y"))
    assert channel_arguments("a=2147483647,b=-2147483648") == (("a", 2**31 - 1), ("b", -(2**31)))
    assert channel_arguments("a=--5,b=-,c=²,d=") == (("a", "--5"), ("b", "-"), ("c", "²"), ("d", ""))


@pytest.mark.parametrize(
    ("text", "reason"),
    [("grpc_prt = 1", "'grpc_prt'"), ("grpc_port = ", "cannot be read"), ("[listen]\nhost = 'x'", "'listen'")],
)
def test_a_wrong_file_is_told(tmp_path: Path, text: str, reason: str) -> None:
    file = tmp_path / "mlmd.toml"
    file.write_text(text)
    with pytest.raises(InvalidArgument, match=r"^config: ") as caught:
        load_config({}, {}, str(file))
    assert reason in caught.value.message


def test_ports_have_to_make_sense() -> None:
    with pytest.raises(InvalidArgument, match=r"^grpc-port: "):
        load_config({"grpc-port": "0", "http-port": "0"}, {}, None)
    with pytest.raises(InvalidArgument, match=r"^http-port: "):
        load_config({"grpc-port": "9", "http-port": "9"}, {}, None)


@pytest.mark.parametrize(
    ("given", "missing"), [("tls-cert", "tls-key"), ("tls-key", "tls-cert"), ("tls-client-ca", "tls-client-ca")]
)
def test_half_of_tls_is_refused(tmp_path: Path, given: str, missing: str) -> None:
    file = tmp_path / "pem"
    file.write_text("")
    with pytest.raises(InvalidArgument, match=f"^{missing}: "):
        load_config({given: str(file)}, {}, None)


def test_tenants_come_from_a_file_and_then_there_is_no_default_unless_said(tmp_path: Path) -> None:
    file = tmp_path / "tenants.toml"
    file.write_text('[tenant.vision]\ndatabase = "sqlite:///v.db"\nbucket_prefix = "s3://b/v"\n')
    config = load_config({"tenants": str(file)}, {}, None)
    ((name, tenant),) = config.tenants
    assert (name, tenant.database, tenant.bucket_prefix) == ("vision", "sqlite:///v.db", "s3://b/v")
    assert config.database.url == ""
    assert load_config({"tenants": str(file), "database": "sqlite:///d.db"}, {}, None).database.url == "sqlite:///d.db"


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("sqlite:///x.db", "sqlite:///sub/../x.db"),
        ("mysql://ana:1@db/vision", "mysql://ben:2@DB:3306/vision"),
    ],
)
def test_no_two_tenants_have_one_database(tmp_path: Path, one: str, other: str) -> None:
    file = tmp_path / "tenants.toml"
    file.write_text(f"[tenant.a]\ndatabase = '{one}'\n[tenant.b]\ndatabase = '{other}'\n")
    with pytest.raises(InvalidArgument, match=r"^tenants: the tenant 'b' in .* has the database of the tenant 'a'"):
        load_config({"tenants": str(file)}, {}, None)
    file.write_text(f"[tenant.a]\ndatabase = '{other}'\n")
    with pytest.raises(InvalidArgument, match=r"^tenants: the tenant 'a' in .* has the database of --database;"):
        load_config({"tenants": str(file), "database": one}, {}, None)
    file.write_text(f"[tenant.a]\ndatabase = '{other}2'\n[tenant.b]\ndatabase = '{one}3'\n")
    assert len(load_config({"tenants": str(file), "database": one}, {}, None).tenants) == 2


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("[tenant.a]\n", "has no database"),
        ("[tenant.a]\ndatabase = 1\n", "database is no text"),
        ("", "names no tenant"),
        ("tenant = 1\n", "write each tenant as a table with its name, [tenant.NAME]"),
        ("[[tenant]]\ndatabase = 'x'\n", "write each tenant as a table with its name"),
        ("tenant.a = 'sqlite:///x'\n", "has no database"),
        ("[tenant.a]\ndatabase = 'x'\n", "no database URL"),
        ("[tenant.a]\ndatabase = 'sqlite:///x'\nbucket_prefix = 7\n", "bucket_prefix is no text"),
        ("[tenant.a]\ndatabase = 'sqlite:///x'\nexternal_roots = 7\n", "artifacts-external-roots: 7 (external_roots)"),
        ("[tenant.a]\ndatabase = 'sqlite:///x'\nexternal_roots = {a = 1}\n", "neither text nor a number"),
        ('[tenant.a]\ndatabase = "x"\nbucket = "y"\n', "'bucket'"),
        ('[tenants.a]\ndatabase = "x"\n', "has 'tenants'; it may hold tables"),
        ("[tenant.'']\ndatabase = 'sqlite:///x'\n", "has a tenant without a name"),
    ],
)
def test_a_wrong_tenants_file_is_told(tmp_path: Path, text: str, reason: str) -> None:
    file = tmp_path / "tenants.toml"
    file.write_text(text)
    with pytest.raises(InvalidArgument, match=r"^tenants: ") as caught:
        load_config({"tenants": str(file)}, {}, None)
    assert reason in caught.value.message


@pytest.mark.parametrize(
    "database",
    [
        "'mysql:/root:hunter2@h/d'",
        "'root:hunter2@h/d'",
        "'mysql+pymysql://root:hunter2@h/d'",
        "'mysql://root:hunter2@h'",
        "'mysql://root:hunter2@h:99999/d'",
        "{url = 'mysql://root:hunter2@h/d'}",
        "[[{url = 'mysql://root:hunter2@h/d'}]]",
    ],
)
def test_no_error_shows_a_password(tmp_path: Path, database: str) -> None:
    file = tmp_path / "file.toml"
    file.write_text(f"[tenant.a]\ndatabase = {database}\n")
    with pytest.raises(InvalidArgument, match=r"^tenants: ") as caught:
        load_config({"tenants": str(file)}, {}, None)
    assert "hunter2" not in caught.value.message
    file.write_text(f"database = {database}\n")
    with pytest.raises(InvalidArgument, match="database: ") as caught:
        load_config({}, {}, str(file))
    assert "hunter2" not in caught.value.message


@pytest.mark.parametrize("value", ["{a = 1}", "1979-05-27", "[{a = 1}]", "[1979-05-27]"])
def test_what_is_no_value_of_an_option_is_told(tmp_path: Path, value: str) -> None:
    file = tmp_path / "mlmd.toml"
    for option in OPTIONS:
        file.write_text(f"{option.key} = {value}\n")
        with pytest.raises(InvalidArgument, match=f"^{option.name}: .* is neither text nor a number"):
            load_config({}, {}, str(file))


def test_wrong_use_ends_with_2_and_a_sentence(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["serve", "--grpc-port", "x"]) == 2
    assert capsys.readouterr().err == "mlmd-server: grpc-port: 'x' (from --grpc-port) is no whole number.\n"
    assert main([]) == 2


def test_the_version_is_told(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--version"]) == 0
    assert capsys.readouterr().out.startswith("mlmd-server 0.")
