"""A real private RabbitMQ: what it keeps, what it survives, and that nothing of it is left behind."""

import os
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
import requests

from dev.servers import files, ports, processes, rabbitmq, rabbitmq_node
from tests.integration import local_cli

pytestmark = [pytest.mark.broker, pytest.mark.slow(reason="5 to 15 s each: a RabbitMQ of its own")]

ONLY = ("--only", "rabbitmq")


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """One instance for the tests that leave it as it was."""
    path = tmp_path_factory.mktemp("shared") / "state"
    yield path
    local_cli.run("down", path)
    assert members(path) == []


@pytest.fixture
def state(tmp_path: Path) -> Iterator[Path]:
    """An instance of the test's own; a kill ends it, which is quicker than `down` and as thorough here."""
    path = tmp_path / "state"
    yield path
    processes.kill_marked(rabbitmq_node.MARK, str(home(path).resolve()))


def up(state: Path) -> dict[str, str]:
    code, _, errors = local_cli.run("up", state, *ONLY)
    assert code == 0, errors
    lines = (state / "local.env").read_text().splitlines()[1:]
    return dict(line.split("=", 1) for line in lines)


def home(state: Path) -> Path:
    return state / "rabbitmq"


def members(state: Path) -> list[int]:
    """Every process of the instance: the node, its helpers, the port mapper."""
    return processes.marked(rabbitmq_node.MARK, str(home(state).resolve()))


def call(
    variables: dict[str, str], method: str, path: str, user: str = "", password: str = "", **body: object
) -> object:
    reply = requests.request(
        method,
        f"http://{variables['QUEUE_HOST']}:{variables['QUEUE_MANAGEMENT_PORT']}/api/{path}",
        auth=(user or variables["QUEUE_USER"], password or variables["QUEUE_PASSWORD"]),
        json=body,
        timeout=10,
    )
    reply.raise_for_status()
    return reply.json() if reply.content else None


def listeners(pids: list[int]) -> list[str]:
    """The addresses that these processes listen on, as `ss` writes them."""
    said = subprocess.run(["ss", "-ltnpH"], capture_output=True, text=True, check=True).stdout
    rows = [line.split() for line in said.splitlines()]
    return [row[3] for row in rows if any(f"pid={pid}," in row[-1] for pid in pids)]


def test_its_own_user_is_administrator_and_there_is_no_guest(shared: Path) -> None:
    variables = up(shared)
    user = call(variables, "GET", "whoami")
    assert isinstance(user, dict)
    assert "administrator" in user["tags"]
    permissions = call(variables, "GET", "permissions")
    assert isinstance(permissions, list)
    assert [(each["user"], each["vhost"], each["configure"]) for each in permissions] == [("windmill", "/", ".*")]
    with pytest.raises(requests.HTTPError, match="401"):
        call(variables, "GET", "whoami", "guest", "guest")


def test_everything_listens_on_loopback_only(shared: Path) -> None:
    up(shared)
    addresses = listeners(members(shared))
    assert len(addresses) >= 4, "AMQP, management, distribution, port mapper"
    assert {address.rpartition(":")[0] for address in addresses} <= {"127.0.0.1", "[::1]"}


def test_a_second_up_changes_nothing(shared: Path) -> None:
    before, pids = up(shared), members(shared)
    code, _, errors = local_cli.run("up", shared, *ONLY)
    assert (code, "already running" in errors) == (0, True)
    assert (up(shared), members(shared)) == (before, pids)


def test_its_secrets_are_for_their_owner_only(shared: Path) -> None:
    up(shared)
    secret = ["local.env", "rabbitmq/settings.json", "rabbitmq/rabbitmq.conf", "rabbitmq/home/.erlang.cookie"]
    modes = {name: (shared / name).stat().st_mode & 0o077 for name in secret}
    assert modes == dict.fromkeys(secret, 0)
    password = rabbitmq.variables(home(shared))["QUEUE_PASSWORD"]
    assert not any(password in processes.command(pid) for pid in members(shared))


def test_a_lost_port_mapper_is_started_again(shared: Path) -> None:
    up(shared)
    epmd = files.read_json(home(shared) / "epmd.json")["pid"]
    os.kill(epmd, signal.SIGKILL)
    assert processes.wait_until(lambda: processes.birth(epmd) is None, 10)
    up(shared)
    assert ports.answers(ports.LOOPBACK, rabbitmq_node.load(home(shared)).port["epmd"])


def test_queues_credentials_and_ports_survive_a_kill_and_a_down(shared: Path) -> None:
    before = up(shared)
    call(before, "PUT", "queues/%2F/kept", durable=True, arguments={"x-queue-type": "quorum"})
    node = rabbitmq.pid(home(shared))
    assert node is not None
    os.kill(node, signal.SIGKILL)
    assert up(shared) == before
    assert local_cli.run("down", shared)[0] == 0
    assert members(shared) == []
    assert up(shared) == before
    call(before, "GET", "queues/%2F/kept")


def test_an_up_that_is_killed_midway_leaves_nothing_that_the_next_one_cannot_use(state: Path) -> None:
    with local_cli.start("up", state, *ONLY) as killed:
        assert processes.wait_until((home(state) / "data").exists, 60, every=0.01)
        killed.kill()
        killed.communicate()
    node = rabbitmq.pid(home(state))
    assert node is not None
    os.kill(node, signal.SIGKILL)
    call(up(state), "GET", "whoami")


def test_an_interrupt_leaves_nothing_running(state: Path) -> None:
    with local_cli.start("up", state, *ONLY) as interrupted:
        assert processes.wait_until((home(state) / "process.json").exists, 60, every=0.01)
        interrupted.send_signal(signal.SIGINT)
        _, errors = interrupted.communicate(timeout=90)
    assert interrupted.returncode == 130, errors
    assert "Traceback" not in errors
    assert members(state) == []


@pytest.mark.parametrize("use", ["amqp", "epmd"])
def test_a_port_that_is_taken_before_the_server_binds_it_is_replaced(state: Path, use: str) -> None:
    def choose() -> int:
        return ports.choose(rabbitmq_node.BASES[use], home(state).resolve())

    taken = local_cli.up_beside_a_rival(state, choose, home(state) / "settings.json", up)
    assert rabbitmq_node.load(home(state)).port[use] != taken
    call(up(state), "GET", "whoami")


def test_lost_credentials_are_told_at_once_and_the_data_is_kept(shared: Path) -> None:
    up(shared)
    settings = home(shared) / "settings.json"
    kept = settings.read_text()
    settings.write_text(kept.replace(rabbitmq_node.load(home(shared)).password, "another"))
    processes.kill_marked(rabbitmq_node.MARK, str(home(shared).resolve()))
    code, _, errors = local_cli.run("up", shared, *ONLY)
    settings.write_text(kept)
    assert code == 1
    assert "does not accept the credentials" in errors
    assert "down --wipe" in errors
    assert (home(shared) / "data").exists()
    assert members(shared) == []
