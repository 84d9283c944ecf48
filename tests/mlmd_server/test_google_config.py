"""Which database Google's flags and config file mean."""

from pathlib import Path

import pytest
from mlmd_metadata_store.addresses import parse_url
from mlmd_schemas.errors import InvalidArgument, StoreError, Unimplemented
from mlmd_server.config import Config
from mlmd_server.google_flags import main, read_flags, to_config

MYSQL = ["--mysql_config_host=db", "--mysql_config_port=3307", "--mysql_config_database=metadb"]


def _config(
    words: list[str], tmp_path: Path, environment: dict[str, str] | None = None
) -> tuple[Config, tuple[str, ...]]:
    surroundings = environment or {}
    return to_config(read_flags(words, surroundings), surroundings, lambda: tmp_path)


def _file(tmp_path: Path, text: str) -> str:
    path = tmp_path / "config.pbtxt"
    path.write_text(text)
    return f"--metadata_store_server_config_file={path}"


def test_mysql_flags_make_a_url_whatever_the_password(tmp_path: Path) -> None:
    words = [*MYSQL, "--mysql_config_user=ü@:/", "--mysql_config_password=p@s/s:w%rd?#", "--enable_database_upgrade"]
    config, warnings = _config(words, tmp_path)
    url = parse_url(config.database.url)
    assert (url.host, url.port, url.database) == ("db", 3307, "metadb")
    assert (url.username, url.password) == ("ü@:/", "p@s/s:w%rd?#")
    assert config.database.enable_upgrade
    assert warnings == ()
    assert (config.listen.host, config.listen.grpc_port, config.listen.http_port) == ("0.0.0.0", 8080, 0)


def test_without_a_database_everything_is_in_memory_with_a_warning(tmp_path: Path) -> None:
    config, (warning,) = _config([], tmp_path)
    assert config.database.url == f"sqlite:///{tmp_path}/metadata.db"
    assert "lost when this process ends" in warning


def test_our_own_settings_come_from_the_environment(tmp_path: Path) -> None:
    environment = {"MLMD_HTTP_PORT": "9090", "MLMD_HOST": "127.0.0.1", "MLMD_WORKERS": "2", "MLMD_AUTH": "tokens=t"}
    plain, _ = _config(["--grpc_port=65535"], tmp_path)
    assert (plain.listen.grpc_port, plain.listen.http_port, plain.listen.host) == (65535, 0, "0.0.0.0")
    config, _ = _config(["--grpc_port=1234"], tmp_path, environment | {"MLMD_GRPC_PORT": "5"})
    assert (config.listen.grpc_port, config.listen.http_port, config.listen.host) == (1234, 9090, "127.0.0.1")
    assert (config.workers, config.tokens) == (2, Path("t"))


def test_a_database_of_ours_is_served_when_google_was_told_of_none(tmp_path: Path) -> None:
    environment = {"MLMD_DATABASE": "sqlite:////var/lib/facts.db"}
    config, warnings = _config([], tmp_path, environment)
    assert (config.database.url, warnings) == ("sqlite:////var/lib/facts.db", ())
    config, _ = _config(MYSQL, tmp_path, environment)
    assert config.database.url.startswith("mysql://")
    fake = _file(tmp_path, "connection_config { fake_database {} }")
    config, (warning,) = _config([fake], tmp_path, environment)
    assert config.database.url == f"sqlite:///{tmp_path}/metadata.db"
    assert "lost when this process ends" in warning


def test_tenants_alone_are_served_without_a_database_in_memory(tmp_path: Path) -> None:
    tenants = tmp_path / "tenants.toml"
    tenants.write_text('[tenant.vision]\ndatabase = "sqlite:///vision.db"\n')
    config, warnings = _config([], tmp_path, {"MLMD_TENANTS": str(tenants)})
    assert (config.database_urls, warnings) == (("", "sqlite:///vision.db"), ())


def test_our_own_file_says_where_to_listen_and_what_to_serve(tmp_path: Path) -> None:
    ours = tmp_path / "mlmd.toml"
    ours.write_text('host = "127.0.0.1"\nhttp_port = 9090\ngrpc_port = 5\ndatabase = "sqlite:///facts.db"\n')
    config, warnings = _config(["--grpc_port=1234"], tmp_path, {"MLMD_CONFIG": str(ours)})
    assert (config.listen.host, config.listen.http_port, config.listen.grpc_port) == ("127.0.0.1", 9090, 1234)
    assert (config.database.url, warnings) == ("sqlite:///facts.db", ())


def test_channel_arguments_set_our_limit_too(tmp_path: Path) -> None:
    words = ["--grpc_channel_arguments=grpc.max_metadata_size=16384,grpc.max_receive_message_length=5000000"]
    config, _ = _config(words, tmp_path)
    assert dict(config.listen.channel_arguments)["grpc.max_metadata_size"] == 16384
    assert config.listen.max_message_bytes == 5000000
    assert (
        _config(["--grpc_channel_arguments=grpc.max_receive_message_length=-1"], tmp_path)[0].listen.max_message_bytes
        > 2**30
    )
    with pytest.raises(InvalidArgument, match="key=value"):
        _config(["--grpc_channel_arguments=grpc.max_metadata_size"], tmp_path)


@pytest.mark.parametrize("port", ["0", "-1", "65536", "70000"])
def test_a_port_that_is_none_is_refused(port: str, tmp_path: Path) -> None:
    with pytest.raises(InvalidArgument, match=r"^--grpc_port: "):
        _config([f"--grpc_port={port}"], tmp_path)


def test_a_config_file_with_mysql_and_tls(tmp_path: Path) -> None:
    text = """
    connection_config { mysql { host: "h" port: 3306 database: "d" user: "u" password: "p" skip_db_creation: true
      ssl_options { key: "k" cert: "c" ca: "a" capath: "ap" cipher: "ci" verify_server_cert: true } } }
    ssl_config { server_key: "KEY" server_cert: "CERT" custom_ca: "CA" client_verify: true }
    migration_options { enable_upgrade_migration: true }
    """
    config, _ = _config([_file(tmp_path, text)], tmp_path)
    database, mysql, tls = config.database, config.database.mysql, config.listen.tls
    assert database.url == "mysql://u:p@h:3306/d"
    assert (database.create, database.enable_upgrade) == (False, True)
    assert (mysql.ssl_key, mysql.ssl_cert, mysql.ssl_ca, mysql.ssl_capath, mysql.ssl_cipher) == (
        "k",
        "c",
        "a",
        "ap",
        "ci",
    )
    assert mysql.ssl_mode == "VERIFY_IDENTITY"
    assert tls is not None
    assert (tls.key, tls.certificate, tls.client_ca) == (b"KEY", b"CERT", b"CA")


def test_a_client_ca_counts_only_with_client_verify(tmp_path: Path) -> None:
    text = 'connection_config { fake_database {} } ssl_config { server_key: "K" server_cert: "C" custom_ca: "A" }'
    config, (warning,) = _config([_file(tmp_path, text)], tmp_path)
    assert config.listen.tls is not None
    assert config.listen.tls.client_ca is None
    assert "fake_database" in warning


def test_flags_for_migration_do_not_count_beside_a_file(tmp_path: Path) -> None:
    file = _file(tmp_path, 'connection_config { mysql { socket: "/s" database: "d" } }')
    config, _ = _config([file, "--enable_database_upgrade", "--downgrade_db_schema_version=3"], tmp_path)
    assert (config.database.enable_upgrade, config.database.downgrade_to) == (False, -1)
    assert config.database.mysql.socket == "/s"


def test_a_downgrade_wins_over_an_upgrade_in_the_file(tmp_path: Path) -> None:
    text = """connection_config { mysql { host: "h" database: "d" } }
    migration_options { enable_upgrade_migration: true downgrade_to_schema_version: 7 }"""
    config, _ = _config([_file(tmp_path, text)], tmp_path)
    assert (config.database.enable_upgrade, config.database.downgrade_to) == (False, 7)


@pytest.mark.parametrize("form", ["{path}", "file:{path}", "file:{path}?mode=rwc", "file://{path}"])
def test_sqlite_takes_paths_and_file_uris(form: str, tmp_path: Path) -> None:
    path = tmp_path / "with space#1.db"
    uri = form.format(path=path if form == "{path}" else str(path).replace(" ", "%20").replace("#", "%23"))
    config, _ = _config([_file(tmp_path, f'connection_config {{ sqlite {{ filename_uri: "{uri}" }} }}')], tmp_path)
    assert parse_url(config.database.url).database == str(path)


def test_sqlite_without_a_file_is_in_memory(tmp_path: Path) -> None:
    config, (warning,) = _config([_file(tmp_path, "connection_config { sqlite {} }")], tmp_path)
    assert config.database.url.endswith("/metadata.db")
    assert "lost" in warning


def test_connection_modes(tmp_path: Path) -> None:
    path = tmp_path / "m.db"
    text = f'connection_config {{ sqlite {{ filename_uri: "{path}" connection_mode: READONLY }} }}'
    with pytest.raises(InvalidArgument, match=r"does not exist.*: unable to open database file\."):
        _config([_file(tmp_path, text)], tmp_path)
    path.touch()
    assert _config([_file(tmp_path, text)], tmp_path)[0].database.read_only


@pytest.mark.parametrize(("mode", "read_only"), [("ro", True), ("rw", False), ("rwc", False)])
def test_the_mode_of_a_file_uri_counts(mode: str, read_only: bool, tmp_path: Path) -> None:
    path = tmp_path / "m.db"
    file = _file(
        tmp_path, f'connection_config {{ sqlite {{ filename_uri: "file:{path}?cache=private&mode={mode}" }} }}'
    )
    if mode != "rwc":
        with pytest.raises(InvalidArgument, match=rf"does not exist, and mode={mode} makes no file"):
            _config([file], tmp_path)
    path.touch()
    config, _ = _config([file], tmp_path)
    assert (parse_url(config.database.url).database, config.database.read_only) == (str(path), read_only)


def test_a_file_uri_may_ask_for_memory(tmp_path: Path) -> None:
    text = 'connection_config { sqlite { filename_uri: "file:m.db?mode=memory&cache=shared" } }'
    config, (warning,) = _config([_file(tmp_path, text)], tmp_path)
    assert config.database.url.endswith("/metadata.db")
    assert "lost" in warning


@pytest.mark.parametrize(
    ("words", "kind", "reason"),
    [
        (["--metadata_source_config_type=oracle"], InvalidArgument, "none of default, config_file, mysql"),
        (["--metadata_source_config_type=mysql"], InvalidArgument, "are needed"),
        (["--metadata_source_config_type=config_file"], InvalidArgument, "name the file"),
        (["--metadata_source_config_type=postgresql"], Unimplemented, "PostgreSQL is not supported yet"),
        (["--mysql_config_host=x"], InvalidArgument, "--mysql_config_port: missing"),
        ([*MYSQL, "--mysql_config_host=u@h"], InvalidArgument, "--mysql_config_host: 'u@h' has '@', which no host"),
        (["--grpc_channel_arguments=x"], InvalidArgument, "'x' (from --grpc_channel_arguments) has the item 'x'"),
        ([*MYSQL, "--mysql_config_port=-5"], InvalidArgument, "--mysql_config_port: -5 is not between 1 and 65535"),
        ([*MYSQL, "--mysql_config_port=65536"], InvalidArgument, "--mysql_config_port: 65536 is not between"),
        ([*MYSQL, "--enable_database_upgrade", "--downgrade_db_schema_version=0"], InvalidArgument, "not both"),
        (["--metadata_store_server_config_file=/no/such"], InvalidArgument, "cannot be read"),
    ],
)
def test_what_cannot_be_followed_is_told(words: list[str], kind: type[StoreError], reason: str, tmp_path: Path) -> None:
    with pytest.raises(kind) as caught:
        _config(words, tmp_path)
    assert reason in caught.value.message


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "connection_config: unset"),
        ("nonsense", "cannot be read"),
        ('connection_config { mysql { host: "h" } }', "mysql.database: missing"),
        ('connection_config { mysql { database: "d" } }', "mysql.host: "),
        ('connection_config { mysql { database: "d" host: "a/b" } }', "mysql.host: 'a/b' has '/', which no host's"),
        ('connection_config { mysql { database: "d" host: "h\\000" } }', "mysql.host: 'h\\x00' has '\\x00', which no"),
        ('connection_config { mysql { database: "d" host: "h" port: 65536 } }', "mysql.port: 65536 is not between 1"),
        ('connection_config { sqlite { filename_uri: "file://[x" } }', "filename_uri: 'file://[x' is no URI; write"),
        (
            'connection_config { sqlite { filename_uri: "file://h/m.db" } }',
            "filename_uri: 'file://h/m.db' names the host",
        ),
        (
            'connection_config { sqlite { filename_uri: "file:a%00b" } }',
            "filename_uri: 'file:a%00b' has a NUL character",
        ),
        (
            f'connection_config {{ sqlite {{ filename_uri: "{"long" * 100}" connection_mode: READONLY }} }}',
            "cannot be looked at: File name too long.",
        ),
        ('connection_config { sqlite { filename_uri: "file:m.db?mode=r" } }', "has the mode 'r'; SQLite has ro, rw"),
        ('connection_config { mysql { database: "d" host: "h" socket: "s" } }', "mysql.host: "),
        ("connection_config { postgresql {} }", "PostgreSQL is not supported yet"),
        ('connection_config { fake_database {} } ssl_config { server_key: "k" }', "server_cert"),
        (
            'connection_config { sqlite {} } ssl_config { server_key: "k" server_cert: "c" client_verify: true }',
            "custom_ca",
        ),
    ],
)
def test_a_wrong_file_is_told(text: str, reason: str, tmp_path: Path) -> None:
    with pytest.raises(StoreError) as caught:
        _config(["--metadata_source_config_type=config_file", _file(tmp_path, text)], tmp_path)
    assert reason in caught.value.message


def test_a_broken_file_beside_mysql_flags_is_passed_over_with_a_warning(tmp_path: Path) -> None:
    config, (warning,) = _config([*MYSQL, _file(tmp_path, "nonsense")], tmp_path)
    assert config.database.url.startswith("mysql://")
    assert "The MySQL flags are used instead" in warning


def test_the_command_ends_with_a_sentence(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--metadata_source_config_type=postgresql", "--postgres_config_host=h"]) == 1
    assert "PostgreSQL is not supported yet" in capsys.readouterr().err
    assert main(["--helpfull"]) == 0
    assert "--mysql_config_password" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("connection_config { mysql { password: 271828 } }", "line 1, column 39: what stands there is no value"),
        ("connection_config { mysql { password: hunter271828 } }", "line 1, column 39"),
        ('connection_config { mysql { password: "271828 } }', "line 1, column 39"),
        ('connection_config { mysql { port: "271828" } }', "line 1, column 35"),
        ('connection_config { mysql { pasword: "271828" } }', 'has no field named "pasword"'),
        ('connection_config { mysql { password: "271828" password: "a" } }', 'multiple "password" fields'),
        ('connection_config { mysql { password: "271828\\xff" } }', "line 1, column"),
        ('connection_config { mysql: "271828" }', "line 1, column"),
        ("ssl_config { server_key: -----BEGIN 271828 }", "line 1, column 26"),
        ("connection_config { mysql {", 'Expected "}"'),
    ],
)
def test_a_wrong_config_file_is_told_by_its_place_and_without_its_values(
    tmp_path: Path, text: str, reason: str
) -> None:
    with pytest.raises(InvalidArgument, match=r"^--metadata_store_server_config_file: ") as caught:
        _config([_file(tmp_path, text)], tmp_path)
    assert reason in caught.value.message
    assert "271828" not in caught.value.message


def test_a_config_file_of_windows_is_read(tmp_path: Path) -> None:
    text = '\ufeffconnection_config {\r\n  mysql { host: "h" database: "d" }\r\n}\r\n'
    config, _ = _config([_file(tmp_path, text)], tmp_path)
    assert config.database.url == "mysql://@h:3306/d"
