"""Lists of servers, as they stand in QUEUE_HOST and DB_HOST."""

import pytest

from windmill.core.errors import ConfigInvalid
from windmill.core.settings import Settings
from windmill.kernels.net.server_addresses import ServerAddress, parse_addresses, render_addresses


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("mq", [("mq", 7)]),
        ("mq:5673", [("mq", 5673)]),
        ("a, b:1 ,c:65535", [("a", 7), ("b", 1), ("c", 65535)]),
        ("10.0.0.1,10.0.0.2:8", [("10.0.0.1", 7), ("10.0.0.2", 8)]),
        ("::1", [("::1", 7)]),
        ("[::1]", [("::1", 7)]),
        ("[fd00::0:1]:8,fd00::2", [("fd00::1", 8), ("fd00::2", 7)]),
        ("/run/postgresql", [("/run/postgresql", 7)]),
    ],
)
def test_each_host_has_its_own_port_or_the_usual_one(text: str, found: list[tuple[str, int]]) -> None:
    assert list(parse_addresses(text, 7)) == found


@pytest.mark.parametrize("name", ["QUEUE_HOST", "DB_HOST"])
@pytest.mark.parametrize(
    "text",
    ["", " ", "a,,b", "a,", "a:", "a:0", "a:65536", "a:x", "a b", "[::1", "[::1]x", "[::1]:", "[a]", "1:2:3", "u@h",
     "amqp://h", "a:9999999999"],
)  # fmt: skip
def test_what_is_no_list_of_hosts_is_refused_at_the_start(name: str, text: str) -> None:
    with pytest.raises(ConfigInvalid, match=name):
        Settings.from_env({name: text})


def test_an_address_is_shown_as_it_could_be_written() -> None:
    servers = parse_addresses("mq,[fd00::1]:8", 7)
    assert render_addresses(servers) == "mq:7, [fd00::1]:8"
    assert parse_addresses(render_addresses(servers), 1) == servers


def test_the_port_setting_is_that_of_hosts_without_one() -> None:
    settings = Settings.from_env({"QUEUE_HOST": "a,b:1", "QUEUE_PORT": "5", "DB_HOST": "c:2,d", "DB_PORT": "6"})
    assert settings.queue_servers() == (ServerAddress("a", 5), ServerAddress("b", 1))
    assert settings.db_servers() == (ServerAddress("c", 2), ServerAddress("d", 6))


@pytest.mark.parametrize(
    ("hosts", "named", "wanted"),
    [
        ("a", "", "any"),
        ("a,b", "", "read-write"),
        ("a,b", "any", "any"),
        ("a", "primary", "primary"),
    ],
)
def test_among_several_databases_the_one_that_takes_rows_is_wanted(hosts: str, named: str, wanted: str) -> None:
    settings = Settings.from_env({"DB_HOST": hosts, "DB_TARGET_SESSION_ATTRS": named})
    assert settings.db_session_attributes() == wanted
