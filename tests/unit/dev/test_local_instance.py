"""An instance with servers that are only pretended: what is started, stopped, undone and written down."""

import socket
import stat
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from dev.servers import are_kept, keep
from dev.servers.instance import Instance
from dev.servers.server import ReportLine
from windmill.core.errors import Code, WindmillError


@dataclass
class Pretended:
    """A server that keeps its state in memory."""

    title: str
    host_variable: str
    port_variable: str
    usual_port: int = 1
    unavailable: Code = "DATABASE_UNAVAILABLE"
    failure: BaseException | None = None
    running: bool = False
    events: list[str] = field(default_factory=list)

    def start(self, home: Path, named: Mapping[str, str], report: ReportLine) -> str:
        self.running = True
        self.events.append("start")
        if self.failure:
            raise self.failure
        return "1.0"

    def stop(self, home: Path) -> bool:
        self.events.append("stop")
        was_running, self.running = self.running, False
        return was_running

    def wipe(self, home: Path) -> None:
        self.events.append("wipe")

    def pid(self, home: Path) -> int | None:
        return 17 if self.running else None

    def variables(self, home: Path) -> dict[str, str]:
        return {self.host_variable: "127.0.0.1", self.port_variable: "5440"}

    def log(self, home: Path) -> Path:
        return home / "log"


@pytest.fixture
def database() -> Pretended:
    return Pretended("postgresql", "DB_HOST", "DB_PORT")


@pytest.fixture
def broker() -> Pretended:
    return Pretended("rabbitmq", "QUEUE_HOST", "QUEUE_PORT", unavailable="BROKER_UNAVAILABLE")


@pytest.fixture
def instance(tmp_path: Path, database: Pretended, broker: Pretended) -> Instance:
    return Instance(tmp_path / "state", {"postgres": database, "rabbitmq": broker})


BOTH = ("postgres", "rabbitmq")


def quiet(_line: str) -> None:
    """Report to nobody."""


def test_up_writes_the_variables_of_the_servers_for_their_owner_only(instance: Instance) -> None:
    variables = instance.up(BOTH, {}, quiet)
    text = instance.variables_file.read_text()
    assert variables == {
        "DB_HOST": "127.0.0.1",
        "DB_PORT": "5440",
        "QUEUE_HOST": "127.0.0.1",
        "QUEUE_PORT": "5440",
    }
    assert text.splitlines()[1:] == [f"{name}={value}" for name, value in variables.items()]
    assert stat.S_IMODE(instance.variables_file.stat().st_mode) == 0o600


def test_a_second_up_says_that_they_run_already(instance: Instance) -> None:
    first = instance.up(BOTH, {}, quiet)
    lines: list[str] = []
    assert instance.up(BOTH, {}, lines.append) == first
    assert [line.rpartition("(")[2] for line in lines] == ["already running)"] * 2


def test_only_the_servers_asked_for_are_started(instance: Instance, broker: Pretended) -> None:
    assert set(instance.up(["postgres"], {}, quiet)) == {"DB_HOST", "DB_PORT"}
    assert broker.events == []


def test_the_file_speaks_of_every_server_that_runs(instance: Instance) -> None:
    instance.up(["postgres"], {}, quiet)
    assert set(instance.up(["rabbitmq"], {}, quiet)) == {"DB_HOST", "DB_PORT", "QUEUE_HOST", "QUEUE_PORT"}
    instance.down(["postgres"], quiet)
    assert "DB_HOST" not in instance.variables_file.read_text()


def test_down_stops_all_and_removes_the_file_but_keeps_the_data(instance: Instance, database: Pretended) -> None:
    instance.up(BOTH, {}, quiet)
    lines: list[str] = []
    instance.down(BOTH, lines.append)
    assert [line.split()[:2] for line in lines] == [["rabbitmq", "stopped"], ["postgresql", "stopped"]]
    assert not instance.variables_file.exists()
    assert "wipe" not in database.events


def test_servers_are_kept_from_when_that_was_asked_for_until_they_are_stopped(instance: Instance) -> None:
    instance.up(BOTH, {}, quiet)
    assert not are_kept(instance.state), "whoever started them may stop them"
    keep(instance.state)
    assert are_kept(instance.state)
    instance.down(BOTH, quiet)
    assert not are_kept(instance.state)


def test_wiping_deletes_the_data_after_the_stop(instance: Instance, database: Pretended) -> None:
    instance.down(BOTH, quiet, wipe=True)
    assert database.events == [], "there is nothing to delete where nothing was started"
    instance.up(BOTH, {}, quiet)
    instance.down(BOTH, quiet, wipe=True)
    assert database.events == ["start", "stop", "wipe"]


def test_down_of_an_instance_that_never_was_leaves_no_trace(instance: Instance) -> None:
    instance.down(BOTH, quiet)
    assert not instance.state.exists()


@pytest.mark.parametrize("failure", [WindmillError("BROKER_UNAVAILABLE", "no"), KeyboardInterrupt()])
def test_a_failure_or_an_interrupt_stops_what_this_call_began(
    instance: Instance, database: Pretended, broker: Pretended, failure: BaseException
) -> None:
    broker.failure = failure
    with pytest.raises(type(failure)):
        instance.up(BOTH, {}, quiet)
    assert not database.running
    assert not broker.running
    assert not instance.variables_file.exists()


def test_a_failure_leaves_running_what_ran_before(instance: Instance, database: Pretended, broker: Pretended) -> None:
    instance.up(["postgres"], {}, quiet)
    broker.failure = KeyboardInterrupt()
    with pytest.raises(KeyboardInterrupt):
        instance.up(BOTH, {}, quiet)
    assert database.running
    assert "DB_HOST" in instance.variables_file.read_text()


def test_a_server_that_the_user_named_is_only_checked(instance: Instance, database: Pretended) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        named = {"DB_HOST": "127.0.0.1", "DB_PORT": str(server.getsockname()[1])}
        assert set(instance.up(BOTH, named, quiet)) == {"QUEUE_HOST", "QUEUE_PORT"}
    assert "start" not in database.events


def test_a_private_server_stops_when_the_user_names_his_own(instance: Instance, database: Pretended) -> None:
    instance.up(BOTH, {}, quiet)
    with socket.create_server(("127.0.0.1", 0)) as server:
        instance.up(BOTH, {"DB_HOST": "127.0.0.1", "DB_PORT": str(server.getsockname()[1])}, quiet)
    assert not database.running


@pytest.mark.parametrize("port", ["", "1", "no-number"])
def test_a_named_server_that_does_not_answer_is_an_error_that_names_it(instance: Instance, port: str) -> None:
    named = {"QUEUE_HOST": "127.0.0.1", "QUEUE_PORT": port}
    with pytest.raises(WindmillError, match=r"QUEUE_HOST=127\.0\.0\.1") as caught:
        instance.up(BOTH, named, quiet)
    assert caught.value.code == "BROKER_UNAVAILABLE"


def test_status_tells_of_every_server(instance: Instance) -> None:
    instance.up(["postgres"], {}, quiet)
    found = {each.server: (each.running, each.pid, each.port) for each in instance.status()}
    assert found == {"postgres": (True, 17, 5440), "rabbitmq": (False, None, None)}
