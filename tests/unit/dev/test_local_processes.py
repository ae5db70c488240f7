"""Detached processes and the records by which they are known."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from dev.servers import files, processes
from dev.servers.processes import Died

SLEEP = ["sleep", "60"]
QUICK = ((signal.SIGTERM, 3.0), (signal.SIGKILL, 3.0))


@pytest.fixture
def record(tmp_path: Path) -> Iterator[Path]:
    path = tmp_path / "process.json"
    yield path
    processes.stop(path, ((signal.SIGKILL, 3.0),))


@pytest.fixture
def log(tmp_path: Path) -> Path:
    return tmp_path / "process.log"


def test_a_process_runs_until_it_is_stopped(record: Path, log: Path) -> None:
    pid = processes.spawn(SLEEP, record=record, log=log)
    assert processes.running(record) == pid
    assert processes.stop(record, QUICK)
    assert processes.running(record) is None
    assert not record.exists()
    assert processes.birth(pid) is None, "not even as a zombie"


def test_stopping_what_does_not_run_is_fine(record: Path) -> None:
    assert not processes.stop(record)


def test_a_process_leads_a_session_of_its_own_so_that_ctrl_c_passes_it_by(record: Path, log: Path) -> None:
    pid = processes.spawn(SLEEP, record=record, log=log)
    assert os.getsid(pid) == pid


def test_a_process_reads_nothing_and_writes_to_its_log(record: Path, log: Path) -> None:
    processes.spawn(["sh", "-c", "cat; echo said; echo complained >&2"], record=record, log=log)
    assert processes.wait_until(lambda: processes.running(record) is None, 5)
    assert log.read_text() == "said\ncomplained\n"


def test_arguments_reach_the_program_as_they_are(record: Path, log: Path) -> None:
    processes.spawn(["printf", "%s|", "a b", "$HOME", "*", ""], record=record, log=log)
    assert processes.wait_until(lambda: processes.running(record) is None, 5)
    assert log.read_text() == "a b|$HOME|*||"


def test_the_environment_is_inherited_unless_it_is_given(record: Path, log: Path) -> None:
    processes.spawn(["env"], record=record, log=log, env={"ONLY": "this"})
    assert processes.wait_until(lambda: processes.running(record) is None, 5)
    assert "ONLY=this" in log.read_text()
    assert "HOME=" not in log.read_text()


def test_a_program_never_runs_when_its_starter_dies_before_it_is_recorded(tmp_path: Path, log: Path) -> None:
    trace = tmp_path / "trace"
    with processes.MYSELF.start(["touch", str(trace)], log=log, env=None, cwd=tmp_path) as child:
        pass  # leaving closes its standard input without the word, as the death of the starter does
    assert child.returncode != 0
    assert not trace.exists()


def test_a_pid_that_is_another_programs_by_now_is_neither_running_nor_killed(record: Path) -> None:
    with subprocess.Popen(SLEEP) as other:
        files.write_json(record, {"pid": other.pid, "birth": "an earlier boot/17"})
        assert processes.running(record) is None
        assert not processes.stop(record)
        assert other.poll() is None
        other.kill()
        assert other.wait(30) == -signal.SIGKILL, "nothing else had been sent to it"


def test_a_record_without_sense_means_not_running(record: Path) -> None:
    for text in ("", "{}", '{"pid": "1"}', '{"pid": 1}'):
        record.write_text(text)
        assert processes.running(record) is None


def test_a_process_that_ignores_a_gentle_signal_gets_the_next(record: Path, log: Path) -> None:
    argv = ["sh", "-c", "trap '' TERM; echo ready; while :; do sleep 0.1; done"]
    processes.spawn(argv, record=record, log=log)
    assert processes.wait_until(lambda: log.read_text() == "ready\n", 5)
    assert processes.stop(record, ((signal.SIGTERM, 0.3), (signal.SIGKILL, 3.0)))
    assert processes.running(record) is None


def test_waiting_ends_as_soon_as_the_process_is_ready(record: Path, log: Path) -> None:
    processes.spawn(SLEEP, record=record, log=log)
    processes.wait_ready(record, log, lambda: True, 5)


def test_a_process_that_dies_while_starting_is_told_with_the_end_of_its_log(record: Path, log: Path) -> None:
    processes.spawn(["sh", "-c", "echo the disk is full; exit 3"], record=record, log=log)
    with pytest.raises(Died, match=r"ended while starting(.|\n)*the disk is full") as caught:
        processes.wait_ready(record, log, lambda: False, 10)
    assert str(log) in str(caught.value)


def test_a_process_that_is_never_ready_is_given_up(record: Path, log: Path) -> None:
    processes.spawn(SLEEP, record=record, log=log)
    with pytest.raises(Died, match="not ready after") as caught:
        processes.wait_ready(record, log, lambda: False, 0.2)
    assert caught.value.slow, "so nothing need be wrong with it"
    assert str(log) not in str(caught.value), "which says nothing"


def test_a_program_that_does_not_exist_says_so_in_the_log(record: Path, log: Path) -> None:
    processes.spawn(["no-such-program"], record=record, log=log)
    with pytest.raises(Died, match="no-such-program"):
        processes.wait_ready(record, log, lambda: False, 5)


def test_what_a_process_started_is_found_by_its_mark_and_killed(record: Path, log: Path, tmp_path: Path) -> None:
    script = "setsid sleep 60 & echo $!; wait"
    pid = processes.spawn(["sh", "-c", script], record=record, log=log, env={"PATH": os.defpath, "MARK": str(tmp_path)})
    assert processes.wait_until(lambda: log.read_text().strip().isdigit(), 5)
    stray = int(log.read_text())
    assert sorted(processes.marked("MARK", str(tmp_path))) == sorted([pid, stray])
    assert processes.marked("MARK", str(tmp_path)[:-1]) == [], "a mark is compared whole"
    processes.kill_marked("MARK", str(tmp_path))
    assert processes.wait_until(lambda: processes.birth(stray) is None and not processes.running(record), 5)


def test_a_log_that_has_grown_large_is_set_aside_at_the_next_start(record: Path, log: Path) -> None:
    with log.open("wb") as file:
        file.truncate(processes.LOG_LIMIT + 1)
    processes.spawn(["echo", "anew"], record=record, log=log)
    assert processes.wait_until(lambda: processes.running(record) is None, 5)
    assert log.read_text() == "anew\n"
    assert log.with_suffix(".old.log").stat().st_size == processes.LOG_LIMIT + 1


def test_the_tail_of_a_log_is_its_last_lines(log: Path) -> None:
    assert "no log" in processes.tail(log)
    log.write_text("".join(f"line {number}\n" for number in range(2000)))
    assert processes.tail(log, lines=2) == "  line 1998\n  line 1999"


def test_a_process_outlives_the_command_that_started_it(record: Path, log: Path) -> None:
    code = (
        "import pathlib, sys; from dev.servers import processes; "
        "processes.spawn(['sleep', '60'], record=pathlib.Path(sys.argv[1]), log=pathlib.Path(sys.argv[2]))"
    )
    subprocess.run([sys.executable, "-c", code, str(record), str(log)], check=True, timeout=20)
    assert processes.running(record)


def test_who_started_what_outlives_it_is_not_warned_of_it(tmp_path: Path) -> None:
    start = f"""
from pathlib import Path
from dev.servers import processes
here = Path({str(tmp_path)!r})
print(processes.spawn(["sleep", "60"], record=here / "record", log=here / "log"))
"""
    said = subprocess.run([sys.executable, "-W", "error", "-c", start], capture_output=True, text=True, timeout=60)
    os.kill(int(said.stdout), signal.SIGKILL)
    assert (said.returncode, said.stderr) == (0, "")
