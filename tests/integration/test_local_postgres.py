"""A real private PostgreSQL: what it keeps, and what it survives."""

import os
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from dev.servers import files, ports, postgres, processes
from tests.integration import local_cli
from windmill.core.settings import Settings
from windmill.operate.doctor.database import judge

pytestmark = [pytest.mark.database, pytest.mark.slow(reason="5 to 10 s each: a PostgreSQL of its own")]

ONLY = ("--only", "postgres")


@pytest.fixture
def state(tmp_path: Path) -> Iterator[Path]:
    path = tmp_path / "state"
    yield path
    local_cli.run("down", path)
    assert servers(path) == []


@pytest.fixture
def running(state: Path) -> Path:
    up(state)
    return state


def up(state: Path) -> str:
    code, _, errors = local_cli.run("up", state, *ONLY)
    assert code == 0, errors
    return (state / "local.env").read_text()


def sql(state: Path, statement: str) -> str:
    code, output, errors = local_cli.run("psql", state, "-X", "-A", "-t", "-c", statement)
    assert code == 0, errors
    return output.strip()


def servers(state: Path) -> list[int]:
    return processes.working_in(state / "postgres" / "data")


def server(state: Path) -> int:
    pid = postgres.pid(state / "postgres")
    assert pid is not None
    return pid


def test_it_listens_on_loopback_tcp_only_and_wants_the_password(running: Path) -> None:
    assert sql(running, "SHOW listen_addresses") == "127.0.0.1"
    assert sql(running, "SHOW unix_socket_directories") == ""
    assert sql(running, "SHOW fsync") == "on"
    assert sql(running, "SELECT DISTINCT auth_method FROM pg_hba_file_rules") == "scram-sha-256"
    assert sql(running, "SELECT current_database() || ' ' || current_user") == "windmill windmill"


def test_the_doctor_has_nothing_to_say_against_its_parameters(running: Path) -> None:
    rows = sql(running, "SELECT name, setting, coalesce(array_to_string(enumvals, ' '), '') FROM pg_settings")
    told = [row.split("|") for row in rows.splitlines() if row.partition("|")[0] in judge.PARAMETERS]
    offered = {name: frozenset(values.split()) for name, _, values in told}
    found = judge.parameters(Settings.from_env({}), {name: setting for name, setting, _ in told}, offered)
    assert len(told) == len(judge.PARAMETERS)
    assert {one.state for one in found} == {"ok"}, found


def test_data_credentials_and_port_survive_down_and_up(running: Path) -> None:
    before = (running / "local.env").read_text()
    sql(running, "CREATE TABLE kept AS SELECT 42 AS answer")
    assert local_cli.run("down", running)[0] == 0
    assert servers(running) == []
    assert not (running / "local.env").exists()
    assert up(running) == before
    assert sql(running, "SELECT answer FROM kept") == "42"


def test_a_second_up_changes_nothing_but_makes_a_database_that_is_named(
    running: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before, pid = (running / "local.env").read_text(), server(running)
    code, _, errors = local_cli.run("up", running, *ONLY)
    assert (code, "already running" in errors) == (0, True)
    monkeypatch.setenv("DB_NAME", 'another "one"')
    for _ in range(2):
        assert (up(running), server(running)) == (before, pid)
    assert sql(running, "SELECT current_database()") == 'another "one"'


def test_wiping_deletes_the_data(running: Path) -> None:
    assert local_cli.run("down", running, "--wipe")[0] == 0
    assert not (running / "postgres").exists()


def test_a_killed_server_is_started_again_with_its_data(running: Path) -> None:
    sql(running, "CREATE TABLE kept AS SELECT 42 AS answer")
    os.kill(server(running), signal.SIGKILL)
    up(running)
    assert sql(running, "SELECT answer FROM kept") == "42"


def test_pid_files_that_name_another_program_by_now_harm_neither(running: Path) -> None:
    os.kill(server(running), signal.SIGKILL)
    assert processes.wait_until(lambda: servers(running) == [], 10)
    home = running / "postgres"
    with subprocess.Popen(["sleep", "60"]) as other:
        files.write_json(home / "process.json", {"pid": other.pid, "birth": "of another boot"})
        lock = home / "data" / "postmaster.pid"
        lock.write_text("\n".join([str(other.pid), *lock.read_text().splitlines()[1:]]) + "\n")
        up(running)
        assert other.poll() is None
        assert server(running) != other.pid
        other.kill()


def test_an_interrupted_creation_of_the_data_is_begun_anew(state: Path) -> None:
    half = state / "postgres" / "new-abandoned" / "data"
    half.mkdir(parents=True)
    (half / "PG_VERSION").write_text("18\n")
    up(state)
    assert sql(state, "SELECT 1") == "1"
    assert not half.parent.exists()


def test_an_up_that_is_killed_midway_leaves_nothing_that_the_next_one_cannot_use(state: Path) -> None:
    with local_cli.start("up", state, *ONLY) as killed:
        assert processes.wait_until((state / "postgres" / "process.json").exists, 30, every=0.001)
        killed.kill()
        killed.communicate()
    assert not (state / "local.env").exists()
    up(state)
    assert sql(state, "SELECT 1") == "1"


@pytest.mark.parametrize("seen", ["settings.json", "process.json"])
def test_an_interrupt_leaves_nothing_running(state: Path, seen: str) -> None:
    with local_cli.start("up", state, *ONLY) as interrupted:
        assert processes.wait_until((state / "postgres" / seen).exists, 30, every=0.001)
        interrupted.send_signal(signal.SIGINT)
        _, errors = interrupted.communicate(timeout=60)
    assert interrupted.returncode == 130
    assert "Traceback" not in errors
    assert servers(state) == []
    assert not (state / "local.env").exists()
    up(state)


def test_two_ups_at_once_start_one_server_and_agree(state: Path) -> None:
    with (
        local_cli.start("up", state, *ONLY, "--json") as first,
        local_cli.start("up", state, *ONLY, "--json") as second,
    ):
        said = [process.communicate(timeout=90) for process in (first, second)]
    assert (first.returncode, second.returncode) == (0, 0)
    assert said[0][0] == said[1][0]
    assert sorted("already running" in errors for _, errors in said) == [False, True]


def test_a_port_that_is_taken_before_the_server_binds_it_is_replaced(state: Path) -> None:
    home = (state / "postgres").resolve()
    taken = local_cli.up_beside_a_rival(
        state, lambda: ports.choose(postgres.BASE_PORT, home), home / "settings.json", up
    )
    assert postgres.variables(home)["DB_PORT"] != str(taken)
    assert sql(state, "SELECT 1") == "1"


def test_a_long_state_directory_is_no_obstacle(tmp_path: Path) -> None:
    state = tmp_path / ("long and with spaces " * 6) / "state"
    try:
        up(state)
        assert sql(state, "SELECT 1") == "1"
    finally:
        local_cli.run("down", state)


def test_a_server_that_somebody_else_started_on_the_data_is_left_alone(running: Path) -> None:
    pid, record = server(running), running / "postgres" / "process.json"
    note = record.read_text()
    record.unlink()
    code, _, errors = local_cli.run("up", running, *ONLY)
    assert code == 1
    assert f"kill -INT {pid}" in errors
    record.write_text(note)
    assert server(running) == pid
