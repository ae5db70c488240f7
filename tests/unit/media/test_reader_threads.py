"""Threads for reading: off the loop, beside each other when storage is slow, and in nobody's way at the end."""

import asyncio
import subprocess
import sys
import threading
import time

from tests.waiting import until
from windmill.core.settings import ROOT
from windmill.media.image.reader_threads import MAX_THREADS, ReaderThreads


async def test_each_read_gets_its_own_answer_or_its_own_error() -> None:
    def read(path: str) -> bytes:
        if path.endswith("7"):
            raise FileNotFoundError(path)
        return path.encode()

    with ReaderThreads(read) as threads:
        answers = await asyncio.gather(*(threads.read(str(n)) for n in range(100)), return_exceptions=True)
    assert [str(answer) if isinstance(answer, OSError) else answer for answer in answers] == [
        str(n) if n % 10 == 7 else str(n).encode() for n in range(100)
    ]


async def test_the_loop_goes_on_while_a_file_is_read() -> None:
    with ReaderThreads(lambda path: threading.current_thread().name.encode()) as threads:
        assert await threads.read("a") != threading.current_thread().name.encode()


async def test_a_read_that_hangs_does_not_hold_up_those_that_come_after_it() -> None:
    released = threading.Event()

    def read(path: str) -> bytes:
        if path == "hangs":
            released.wait(30)
        return path.encode()

    with ReaderThreads(read) as threads:
        hung = [threads.read("hangs") for _ in range(5)]
        async with asyncio.timeout(5):
            assert await threads.read("a") == b"a"
        assert not any(future.done() for future in hung)
        released.set()
        assert await asyncio.gather(*hung) == [b"hangs"] * 5


async def test_slow_storage_is_read_by_several_threads_at_a_time() -> None:
    together = threading.Barrier(4)

    def read(path: str) -> bytes:
        together.wait(30)
        return b""

    with ReaderThreads(read) as threads:
        assert await asyncio.gather(*(threads.read("a") for _ in range(20))) == [b""] * 20


async def test_however_much_hangs_there_are_no_more_threads_than_the_limit() -> None:
    released = threading.Event()
    reading: set[str] = set()

    def read(path: str) -> bytes:
        reading.add(threading.current_thread().name)
        released.wait(30)
        return b""

    with ReaderThreads(read) as threads:
        hung = [threads.read("a") for _ in range(MAX_THREADS + 5)]
        await until(lambda: len(reading) == MAX_THREADS)
        released.set()
        await asyncio.gather(*hung)
        assert len(reading) <= MAX_THREADS


async def test_a_read_that_nobody_waits_for_any_more_is_left_out() -> None:
    begun, released = threading.Event(), threading.Event()
    seen: list[str] = []

    def read(path: str) -> bytes:
        seen.append(path)
        begun.set()
        released.wait(30)
        return b""

    with ReaderThreads(read) as threads:
        first = threads.read("first")
        assert begun.wait(5)
        threads.read("given up").cancel()
        released.set()
        await asyncio.gather(first, threads.read("last"))
    assert sorted(seen) == ["first", "last"]


def test_a_read_that_ends_after_the_loop_does_no_harm() -> None:
    released = threading.Event()

    def read(path: str) -> bytes:
        released.wait(30)
        return b""

    async def give_up() -> threading.Thread:
        before = set(threading.enumerate())
        with ReaderThreads(read) as threads:
            threads.read("a")
        (thread,) = set(threading.enumerate()) - before
        return thread

    thread = asyncio.run(give_up())
    released.set()
    thread.join(5)
    assert not thread.is_alive()


HUNG = """
import threading, uvloop
from windmill.media.image.reader_threads import ReaderThreads

async def main():
    begun = threading.Event()

    def read(path):
        begun.set()
        threading.Event().wait(60)

    with ReaderThreads(read) as threads:
        threads.read("a")
        begun.wait(5)

uvloop.run(main())
"""


def test_a_process_ends_though_a_read_hangs() -> None:
    began = time.monotonic()
    done = subprocess.run(
        [sys.executable, "-c", HUNG], cwd=ROOT, capture_output=True, text=True, timeout=30, check=False
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert time.monotonic() - began < 20


async def test_threads_that_a_moment_of_load_brought_go_until_one_is_left() -> None:
    together = threading.Barrier(8)

    def read(path: str) -> bytes:
        if path == "slow":
            together.wait(30)
        return threading.current_thread().name.encode()

    with ReaderThreads(read, quiet_seconds=0.1) as threads:
        names = set(await asyncio.gather(*(threads.read("slow") for _ in range(8))))
        assert len(names) == 8
        await until(lambda: threads.size == 1 and sum(one.name.encode() in names for one in threading.enumerate()) == 1)
        assert await threads.read("a") in names


async def test_threads_that_hang_do_not_make_the_last_free_one_go() -> None:
    released = threading.Event()
    seen: list[int] = []

    def read(path: str) -> bytes:
        if path == "hangs":
            released.wait(30)
        return b""

    with ReaderThreads(read, quiet_seconds=0.02) as threads:
        hung = [threads.read("hangs") for _ in range(4)]
        await threads.read("a")

        def quiet_for_long() -> bool:
            seen.append(threads.size)
            return len(seen) > 20

        await until(quiet_for_long)
        assert set(seen) == {5}
        released.set()
        await asyncio.gather(*hung)
        await until(lambda: threads.size == 1)
