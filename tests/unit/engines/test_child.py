"""Real processes: what they start must never outlive them."""

import asyncio
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import uvloop

from tests.waiting import turns, until, wait_until
from windmill.core.errors import WindmillError
from windmill.engines.process import child_runner
from windmill.engines.process.child import Child, running

# Starts a child that has left the group, ignores SIGTERM and has lost its parent, and tells the pids of both.
FAMILY = f"""
mark = {os.getpid()}
import os, signal, sys, time
signal.signal(signal.SIGTERM, signal.SIG_IGN)
reading, writing = os.pipe()
if not os.fork():
    os.setsid()
    if os.fork():
        os._exit(0)
    os.write(writing, str(os.getpid()).encode())
    signal.pause()
print(os.getpid(), os.read(reading, 99).decode(), flush=True)
time.sleep(float(sys.argv[1]))  # it lives for as long as the test says
"""
# A thread starts a child that leaves the group, and the child of that one takes 200 MB.
LARGE = """
import os, signal, threading, time
def start():
    if not os.fork():
        os.setsid()
        if not os.fork():
            taken = bytearray(200_000_000)
            taken[::4096] = b"1" * len(taken[::4096])
        signal.pause()
    time.sleep(600)  # as long as its child
threading.Thread(target=start, daemon=True).start()
time.sleep(600)  # until it is killed
"""
HOLDER = """
import asyncio, sys
from pathlib import Path
from windmill.engines.process.child import running
async def main():
    async with running(sys.argv[1:], folder=Path("/tmp"), environment={}) as child:
        async for piece in child.output():
            sys.stdout.buffer.write(piece); sys.stdout.flush()
asyncio.run(main())
"""


def family(seconds: float) -> list[str]:
    return [sys.executable, "-c", FAMILY, str(seconds)]


def alive(pids: list[int]) -> list[int]:
    return [pid for pid in pids if Path("/proc", str(pid)).exists()]


async def pids_of(child: Child) -> list[int]:
    return [int(pid) for pid in (await anext(aiter(child.output()))).split()]


async def cancelled_family() -> float:
    """Seconds from the request to the end of all."""
    async with running(family(600), folder=Path("/tmp"), environment={}) as child:
        pids = await pids_of(child)
        assert len(alive(pids)) == 2
        began = time.monotonic()
    assert alive(pids) == []
    return time.monotonic() - began


async def test_the_end_of_the_block_ends_the_whole_family() -> None:
    assert await cancelled_family() < 2


async def test_many_families_end_in_time_too() -> None:
    assert max(await asyncio.gather(*(cancelled_family() for _ in range(8)))) < 2


@pytest.mark.slow("one hundred processes that ignore SIGTERM get half a second each, ten at a time")
async def test_of_a_hundred_cancels_99_take_less_than_two_seconds() -> None:
    spent: list[float] = []
    for _ in range(10):
        spent += await asyncio.gather(*(cancelled_family() for _ in range(10)))
    assert sorted(spent)[98] < 2, spent


def test_it_is_the_same_on_the_event_loop_of_the_programs() -> None:
    assert uvloop.run(cancelled_family()) < 2


async def test_what_a_command_leaves_behind_when_it_ends_well_is_ended() -> None:
    async with running(family(0), folder=Path("/tmp"), environment={}) as child:
        pids = await pids_of(child)
        ending = await child.ended()
        assert ending.exit_code == 0
        assert alive(pids) == []


def test_when_the_worker_is_killed_nothing_goes_on() -> None:
    command = [sys.executable, "-c", HOLDER, *family(600)]
    with subprocess.Popen(command, stdout=subprocess.PIPE) as worker:
        assert worker.stdout
        pids = [int(pid) for pid in worker.stdout.readline().split()]
        assert len(alive(pids)) == 2
        worker.kill()
        wait_until(lambda: not alive(pids), 5)


async def test_a_cancelled_task_waits_for_the_end_of_its_processes() -> None:
    pids: list[int] = []

    async def hold() -> None:
        async with running(family(600), folder=Path("/tmp"), environment={}) as child:
            pids.extend(await pids_of(child))
            await asyncio.Event().wait()

    task = asyncio.create_task(hold())
    await until(lambda: pids)
    task.cancel()
    await turns(1)  # a second one, while the first is at work
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert alive(pids) == []


async def test_cancelled_at_any_moment_of_its_start_it_ends_and_leaves_nothing() -> None:
    async def hold() -> None:
        async with running(family(600), folder=Path("/tmp"), environment={}):
            await asyncio.Event().wait()

    for moment in range(12):
        task = asyncio.create_task(hold())
        await turns(moment)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
    await until(lambda: not descendants())


async def test_a_signal_is_told_by_its_name() -> None:
    async with running(["sleep", "600"], folder=Path("/tmp"), environment=dict(os.environ)) as child:
        [pid] = await sleeping()
        os.kill(pid, signal.SIGSEGV)
        ending = await child.ended()
    assert ending.by_signal == signal.SIGSEGV
    assert ending.says == "was ended by SIGSEGV"
    assert not ending.out_of_memory


async def test_what_a_grandchild_takes_counts_although_it_left_the_group_and_a_thread_began_it() -> None:
    command = [sys.executable, "-c", LARGE]
    async with running(command, folder=Path("/tmp"), environment={}, memory_bytes=100_000_000) as child:
        ending = await child.ended()
    assert ending.out_of_memory


def test_the_own_family_are_all_descendants_and_nobody_else_is_read(monkeypatch: pytest.MonkeyPatch) -> None:
    command = [sys.executable, "-c", "import subprocess; subprocess.run(['sleep', '600'])"]
    with subprocess.Popen(command) as parent:
        wait_until(lambda: len(child_runner._descendants()) > 1, 5)
        everybody = child_runner._descendants()
        monkeypatch.setattr(child_runner, "_parents", dict)
        found = child_runner._family()
        for pid in everybody:
            os.kill(pid, signal.SIGKILL)
        assert parent.pid in found
        assert sorted(found) == sorted(everybody)


async def test_a_program_that_is_not_there_is_told() -> None:
    async with running(["/no/such/program"], folder=Path("/tmp"), environment={}) as child:
        assert (await child.ended()).not_started == "No such file or directory"


async def test_a_folder_that_is_not_there_is_told() -> None:
    with pytest.raises(WindmillError) as raised:
        async with running(["true"], folder=Path("/no/such/folder"), environment={}):
            pass
    assert raised.value.code == "PROCESS_NOT_STARTED"


def descendants() -> list[str]:
    """Processes of these tests that still run."""
    marked = FAMILY.strip().splitlines()[0].encode()
    running_now = []
    for command in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            if marked in command.read_bytes():
                running_now.append(command.parent.name)
        except OSError:
            continue
    return running_now


async def sleeping() -> list[int]:
    """The grandchild of this process that sleeps."""
    found: list[int] = []

    def look() -> list[int]:
        found[:] = [
            int(process.parent.name)
            for process in Path("/proc").glob("[0-9]*/stat")
            if grandparent(process.parent) == os.getpid()
            and (process.parent / "cmdline").read_bytes().startswith(b"sleep\0")
        ]
        return found

    await until(look)
    return found


def grandparent(process: Path) -> int:
    try:
        parent = (process / "stat").read_text().rpartition(")")[2].split()[1]
        return int((process.parent / parent / "stat").read_text().rpartition(")")[2].split()[1])
    except (OSError, IndexError):
        return 0
