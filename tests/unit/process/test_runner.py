"""Running a program: exit codes and signals."""

import asyncio
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from windmill.core.settings import ROOT, defaults
from windmill.process.runner import pause

HEAD = """
import asyncio, sys
from windmill.core.errors import WindmillError
from windmill.process.runner import DONE, background, command, pause, run

async def forever(settings, stop):
    print("ready", flush=True)
    try:
        await stop.wait()
        print("asked to stop", flush=True)
        if "stubborn" in sys.argv:
            await asyncio.Event().wait()
    finally:
        print("cleaned up", flush=True)
    return DONE

def fail(error):
    def main(settings):
        raise error
    return main
"""


@pytest.fixture
def environ(tmp_path: Path) -> dict[str, str]:
    """A process environment without settings of the developer's own."""
    empty = tmp_path / "empty.env"
    empty.touch()
    kept = {name: value for name, value in os.environ.items() if name not in defaults()}
    return {**kept, "ENV_FILE": str(empty), "PYTHONPATH": str(ROOT)}


Start = Callable[..., "subprocess.Popen[str]"]


@pytest.fixture
def start(environ: dict[str, str]) -> Start:
    def starting(code: str, *arguments: str, **variables: str) -> "subprocess.Popen[str]":
        command = [sys.executable, "-c", HEAD + code, *arguments]
        pipe = subprocess.PIPE
        return subprocess.Popen(command, env=environ | variables, cwd=ROOT, stdout=pipe, stderr=pipe, text=True)

    return starting


def finished(process: "subprocess.Popen[str]") -> tuple[int, str, str]:
    with process:
        out, err = process.communicate(timeout=20)
    return process.returncode, out, err


@pytest.mark.parametrize(
    ("code", "expected"),
    [
        ("sys.exit(command(lambda settings: 0))", 0),
        ("sys.exit(command(lambda settings: 1))", 1),
        ("sys.exit(command(fail(WindmillError('SERVICE_ERROR', 'it broke'))))", 1),
        ("sys.exit(command(fail(WindmillError('DATABASE_UNAVAILABLE', 'it broke'))))", 1),
        ("sys.exit(command(fail(WindmillError('CONFIG_INVALID', 'it broke'))))", 2),
        ("sys.exit(command(fail(WindmillError('NOT_FOUND', 'it broke'))))", 2),
        ("sys.exit(command(fail(WindmillError('BUSY', 'it broke'))))", 75),
        ("sys.exit(command(fail(KeyboardInterrupt())))", 130),
    ],
)
def test_the_exit_code_shows_how_the_program_ended(start: Start, code: str, expected: int) -> None:
    status, out, err = finished(start(code))
    assert status == expected
    assert out == ""
    assert "Traceback" not in err
    assert ("it broke. Remedy: " in err) == ("it broke" in code)


def test_a_defect_ends_with_exit_code_70_a_stack_trace_and_a_remedy(start: Start) -> None:
    status, out, err = finished(start("sys.exit(command(fail(ZeroDivisionError('oops'))))"))
    assert (status, out) == (70, "")
    assert "Traceback" in err
    assert "ZeroDivisionError: oops" in err
    assert "code=DEFECT" in err
    assert "report the traceback" in err


def test_an_os_error_is_no_defect(start: Start) -> None:
    status, _, err = finished(start("sys.exit(command(fail(OSError(28, 'the disk is full'))))"))
    assert status == 1
    assert "the disk is full" in err
    assert "DEFECT" not in err


def test_wrong_settings_are_reported_at_once_without_a_stack_trace(start: Start) -> None:
    status, _, err = finished(start("sys.exit(run(forever))", QUEUE_PORT="rabbit", DB_PORT="-1"))
    assert status == 2
    assert err.splitlines() == [
        "CONFIG_INVALID: 2 problem(s) in the configuration",
        "  QUEUE_PORT='rabbit': must be a whole number from 1 to 65535",
        "  DB_PORT='-1': must be a whole number from 1 to 65535",
    ]


def test_a_misspelt_name_in_env_is_reported_before_anything_starts(start: Start, tmp_path: Path) -> None:
    mine = tmp_path / "mine.env"
    mine.write_text("QUEUE_HOTS=mq.example\n")
    status, out, err = finished(start("sys.exit(run(forever))", ENV_FILE=str(mine)))
    assert (status, out) == (2, "")
    assert "did you mean 'QUEUE_HOST'?" in err


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_lets_the_program_finish(start: Start, number: signal.Signals) -> None:
    process = start("sys.exit(run(forever))")
    assert process.stdout
    assert process.stdout.readline() == "ready\n"
    process.send_signal(number)
    status, out, err = finished(process)
    assert (status, out) == (0, "asked to stop\ncleaned up\n")
    assert number.name in err


def test_a_second_signal_stops_at_once_and_still_cleans_up(start: Start) -> None:
    process = start("sys.exit(run(forever))", "stubborn")
    assert process.stdout
    process.stdout.readline()
    process.send_signal(signal.SIGTERM)
    assert process.stdout.readline() == "asked to stop\n"
    process.send_signal(signal.SIGTERM)
    status, out, err = finished(process)
    assert (status, out) == (130, "cleaned up\n")
    assert "second signal" in err
    assert "Traceback" not in err


async def test_a_pause_lasts_its_time_but_ends_at_once_on_stop() -> None:
    stop = asyncio.Event()
    started = asyncio.get_running_loop().time()
    await pause(stop, 0.03)
    assert asyncio.get_running_loop().time() - started >= 0.025
    asyncio.get_running_loop().call_later(0.01, stop.set)
    await asyncio.wait_for(pause(stop, 60), 1)
