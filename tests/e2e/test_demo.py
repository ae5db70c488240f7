"""The demo as a newcomer runs it, with fewer images."""

import os
import re
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import pytest

from dev.servers import files
from tests.conftest import STATE
from tests.waiting import wait_until
from windmill.core.services import load_fleet
from windmill.core.settings import ROOT
from windmill.core.stages import STAGES

MOST_LOOKS = 4
"""Of each stage at an image, on average, while 13 answers come in one by one."""

pytestmark = [pytest.mark.broker, pytest.mark.database, pytest.mark.timeout(180)]


@pytest.fixture
def alone() -> Iterator[None]:
    """Demos have one database and one folder, so that one runs at a time."""
    with files.locked(STATE / "demo.lock", lambda: None):
        yield


@pytest.fixture
def start(servers: Mapping[str, str], alone: None) -> Iterator[Callable[[int], "subprocess.Popen[str]"]]:
    """Starts a demo on the servers of the tests."""
    started: list[subprocess.Popen[str]] = []

    def demo(images: int) -> "subprocess.Popen[str]":
        command = [sys.executable, "-m", "dev.demo", "--images", str(images), "--state", str(STATE)]
        process = subprocess.Popen(
            command,
            cwd=ROOT,
            env={**os.environ, **{name: value for name, value in servers.items() if name in os.environ}},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        started.append(process)
        return process

    yield demo
    for process in started:
        process.kill()
        process.wait()
        if process.stdout:
            process.stdout.close()


def log(program: str) -> str:
    return (ROOT / "var" / "demo" / f"{program}.log").read_text()


def children(parent: int) -> dict[int, str]:
    """The direct children of a process, with their command lines."""
    found = {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                status, command = (entry / "stat").read_text(), (entry / "cmdline").read_text()
            except OSError:
                continue
            if int(status.rpartition(")")[2].split()[1]) == parent:
                found[int(entry.name)] = command.replace("\0", " ")
    return found


def child(process: "subprocess.Popen[str]", words: str) -> int:
    """The child whose command line has these words, once it is there."""

    def found() -> list[int]:
        assert process.poll() is None, f"no child {words!r}; the demo said:\n{process.communicate()[0]}"
        return [pid for pid, command in children(process.pid).items() if words in command]

    wait_until(found, 200, f"a child {words!r}")
    return found()[0]


def test_it_ends_well_with_every_result_and_a_line_for_each_service(
    start: Callable[[int], "subprocess.Popen[str]"],
) -> None:
    services = len(load_fleet(ROOT / "service_config.json").services)
    demo = start(6)
    said, _ = demo.communicate(timeout=300)
    assert demo.returncode == 0, said
    assert f"{6 * services} of {6 * services} results" in said
    assert len(re.findall(r"^\w+ +6 +0 .* stand-in$", said, re.MULTILINE)) == services
    assert "merged boxes on 6 images" in said
    assert "6 votes with" in said
    assert "apply_film_grain: succeeded" in said
    assert "apply_color_grading: the quality is low" in said
    assert "var/demo/picture/picture.png" in said
    looks = {stage: int(count) for stage, count in re.findall(r"(\w+)_looked_at=(\d+)", log("postprocessors"))}
    print(f"looks at each of 6 images: { {stage: count / 6 for stage, count in looks.items()} }")  # noqa: T201
    assert looks.keys() == STAGES.keys()
    assert max(looks.values()) <= MOST_LOOKS * 6


@pytest.mark.slow(reason="12 s: a second demo")
def test_it_fails_when_the_services_die_meanwhile(start: Callable[[int], "subprocess.Popen[str]"]) -> None:
    demo = start(100)
    child(demo, "workers.generic")
    os.kill(child(demo, "-m dev.farm "), signal.SIGKILL)
    said, _ = demo.communicate(timeout=300)
    assert demo.returncode == 1, said
    assert "farm ended" in said
    assert "Traceback" not in said


@pytest.mark.slow(reason="18 s: a whole demo, stopped half-way")
def test_interrupted_it_leaves_no_program_behind(start: Callable[[int], "subprocess.Popen[str]"]) -> None:
    demo = start(100)
    begun = [child(demo, "-m dev.farm "), child(demo, "workers.generic")]
    demo.send_signal(signal.SIGINT)
    said, _ = demo.communicate(timeout=300)
    assert demo.returncode == 130, said
    assert "interrupted" in said
    assert "where to look next" not in said
    assert [pid for pid in begun if Path(f"/proc/{pid}").exists()] == []


@pytest.mark.slow(reason="13 s: two whole demos")
def test_what_a_killed_demo_leaves_behind_the_next_one_stops(start: Callable[[int], "subprocess.Popen[str]"]) -> None:
    demo = start(50)
    left = [child(demo, "-m dev.farm "), child(demo, "workers.generic")]
    demo.kill()
    demo.wait()
    assert [pid for pid in left if Path(f"/proc/{pid}").exists()] == left
    said, _ = (second := start(5)).communicate(timeout=300)
    assert second.returncode == 0, said
    assert [pid for pid in left if Path(f"/proc/{pid}").exists()] == []
