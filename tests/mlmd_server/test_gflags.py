"""Command lines as Google's gflags reads them."""

from pathlib import Path

import pytest
from mlmd_schemas.errors import InvalidArgument
from mlmd_server.google_flags import FLAGS, read_flags

KFP = [
    "--grpc_port=8080",
    "--mysql_config_database=metadb",
    "--mysql_config_host=mysql",
    "--mysql_config_port=3306",
    "--mysql_config_user=root",
    "--mysql_config_password=",
    "--enable_database_upgrade=true",
    "--grpc_channel_arguments=grpc.max_metadata_size=16384,grpc.max_receive_message_length=104857600",
]


def test_kubeflows_command_line() -> None:
    values = read_flags(KFP, {})
    assert values["mysql_config_host"] == "mysql"
    assert values["mysql_config_port"] == 3306
    assert values["mysql_config_password"] == ""
    assert values["enable_database_upgrade"] is True
    assert values["grpc_channel_arguments"] == "grpc.max_metadata_size=16384,grpc.max_receive_message_length=104857600"


@pytest.mark.parametrize(
    "words",
    [
        ["--grpc_port=9"],
        ["-grpc_port=9"],
        ["--grpc_port", "9"],
        ["-grpc-port", "9"],
        ["--grpc_port=1", "--grpc_port=0x9"],
    ],
)
def test_a_number_can_be_said_in_many_ways(words: list[str]) -> None:
    assert read_flags(words, {})["grpc_port"] == 9


@pytest.mark.parametrize(
    "word",
    [
        "--enable_database_upgrade",
        "-enable_database_upgrade",
        "--enable_database_upgrade=T",
        "--enable_database_upgrade=1",
    ],
)
def test_a_boolean_is_on(word: str) -> None:
    assert read_flags([word], {})["enable_database_upgrade"] is True


@pytest.mark.parametrize(
    "word",
    [
        "--noenable_database_upgrade",
        "-noenable_database_upgrade",
        "--enable_database_upgrade=no",
        "--enable_database_upgrade=0",
    ],
)
def test_a_boolean_is_off(word: str) -> None:
    assert read_flags(["--enable_database_upgrade", word], {})["enable_database_upgrade"] is False


def test_a_boolean_does_not_take_the_next_word() -> None:
    values = read_flags(["--enable_database_upgrade", "--grpc_port", "5"], {})
    assert (values["enable_database_upgrade"], values["grpc_port"]) == (True, 5)


def test_a_value_may_hold_equal_signs_and_words_end_at_two_dashes() -> None:
    values = read_flags(["--mysql_config_password=a=b--c", "stray", "--", "--grpc_port=x"], {})
    assert (values["mysql_config_password"], values["grpc_port"]) == ("a=b--c", 8080)


def test_flagfiles_nest_and_later_words_win(tmp_path: Path) -> None:
    inner, outer = tmp_path / "inner", tmp_path / "outer"
    inner.write_text("# a comment\n--mysql_config_host=inner\n  --mysql_config_port=1\n\n")
    outer.write_text(f"--flagfile={inner}\n--mysql_config_user=outer\n")
    values = read_flags([f"--flagfile={outer}", "--mysql_config_port=2"], {})
    assert [values[f"mysql_config_{name}"] for name in ("host", "user", "port")] == ["inner", "outer", 2]


def test_a_flagfile_that_names_itself_ends(tmp_path: Path) -> None:
    file = tmp_path / "loop"
    file.write_text(f"--flagfile={file}\n")
    with pytest.raises(InvalidArgument, match="nested deeper"):
        read_flags([f"--flagfile={file}"], {})


def test_flags_from_the_environment() -> None:
    environment = {"FLAGS_grpc_port": "7", "GRPC_PORT": "6", "METADATA_STORE_SERVER_CONFIG_FILE": "c.pbtxt"}
    values = read_flags([], environment)
    assert (values["grpc_port"], values["metadata_store_server_config_file"]) == (6, "c.pbtxt")
    assert read_flags(["--fromenv=grpc_port"], environment)["grpc_port"] == 7
    assert read_flags(["--tryfromenv=mysql_config_host"], environment)["mysql_config_host"] == ""
    assert read_flags(["--grpc_port=8"], environment)["grpc_port"] == 8
    assert read_flags([], {"GRPC_PORT": ""})["grpc_port"] == 8080


@pytest.mark.parametrize(
    ("words", "reason"),
    [
        (["--grpc_prt=1"], "--grpc_prt: there is no such flag"),
        (["--grpc_port=abc"], "--grpc_port: 'abc' is no whole number"),
        (["--grpc_port=2147483648"], "--grpc_port: '2147483648' does not fit 32 bits"),
        (["--grpc_port"], "--grpc_port: the value is missing"),
        (["--enable_database_upgrade=perhaps"], "is neither true nor false"),
        (["--flagfile=/no/such/file"], "--flagfile: "),
        (["--fromenv=grpc_port"], "--fromenv: "),
        (["--nogrpc_port"], "there is no such flag"),
    ],
)
def test_what_cannot_be_followed_is_told(words: list[str], reason: str) -> None:
    with pytest.raises(InvalidArgument) as caught:
        read_flags(words, {})
    assert reason in caught.value.message


def test_unknown_flags_can_be_forgiven_and_log_flags_are() -> None:
    assert (
        read_flags(["--undefok=strange,odd", "--strange=1", "--odd", "--logtostderr", "--v=2"], {})["grpc_port"] == 8080
    )


def test_a_64_bit_flag_takes_64_bits() -> None:
    assert read_flags([f"--downgrade_db_schema_version={2**40}"], {})["downgrade_db_schema_version"] == 2**40


def test_every_flag_of_googles_server_is_known() -> None:
    """Those that `metadata_store_server` of ml-metadata 1.17.1 defines, and gflags' own three."""
    mysql = {f"mysql_config_{name}" for name in ("host", "port", "database", "user", "password")}
    postgres = {
        f"postgres_config_{name}"
        for name in [
            "host",
            "hostaddr",
            "port",
            "user",
            "password",
            "passfile",
            "dbname",
            "skip_db_creation",
            "sslmode",
            "sslcert",
            "sslkey",
            "sslpassword",
            "sslrootcert",
        ]
    }
    others = {
        "grpc_port",
        "grpc_channel_arguments",
        "metadata_source_config_type",
        "metadata_store_server_config_file",
        "metadata_store_connection_retries",
        "enable_database_upgrade",
        "downgrade_db_schema_version",
    }
    assert {flag.name for flag in FLAGS} == mysql | postgres | others | {"help", "helpfull", "version"}


@pytest.mark.parametrize("flag", ["grpc_port", "enable_database_upgrade", "flagfile"])
def test_a_long_value_is_cut_where_it_is_told(flag: str) -> None:
    with pytest.raises(InvalidArgument) as error:
        read_flags([f"--{flag}={'x' * 5000}"], {})
    assert "…" in error.value.message
    assert len(error.value.message) < 700
