"""A task that has lost several workers runs while nothing else does."""

import asyncio

import pytest

from tests.waiting import settled, until
from windmill.jobs.turns import Turns


class Runs:
    """Tasks that run until they are let go."""

    def __init__(self) -> None:
        self.turns = Turns()
        self.now: set[str] = set()
        self._go: dict[str, asyncio.Event] = {}
        self._tasks: list[asyncio.Task[None]] = []

    def start(self, name: str, *, alone: bool = False) -> None:
        self._go[name] = asyncio.Event()
        self._tasks.append(asyncio.ensure_future(self._run(name, alone)))

    async def _run(self, name: str, alone: bool) -> None:
        async with self.turns.alone() if alone else self.turns.beside_others():
            self.now.add(name)
            await self._go[name].wait()
            self.now.remove(name)

    async def end(self, name: str) -> None:
        self._go[name].set()
        await until(lambda: name not in self.now)
        await settled()

    async def close(self) -> None:
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)


@pytest.fixture
async def runs() -> Runs:
    return Runs()


async def test_others_run_side_by_side(runs: Runs) -> None:
    runs.start("a")
    runs.start("b")
    await settled()
    assert runs.now == {"a", "b"}
    assert not runs.turns.wanted_alone
    await runs.close()


async def test_one_that_runs_alone_waits_for_the_others_and_they_for_it(runs: Runs) -> None:
    runs.start("a")
    await settled()
    runs.start("alone", alone=True)
    await settled()
    runs.start("b")
    await settled()
    assert runs.turns.wanted_alone
    assert runs.now == {"a"}
    await runs.end("a")
    assert runs.now == {"alone"}
    await runs.end("alone")
    assert runs.now == {"b"}
    assert not runs.turns.wanted_alone
    await runs.close()


async def test_two_that_run_alone_follow_one_another(runs: Runs) -> None:
    runs.start("first", alone=True)
    runs.start("second", alone=True)
    await settled()
    assert runs.now == {"first"}
    await runs.end("first")
    assert runs.now == {"second"}
    await runs.close()


async def test_one_that_gives_up_waiting_lets_the_others_go_on(runs: Runs) -> None:
    runs.start("a")
    await settled()
    waiting = asyncio.ensure_future(runs._run("alone", alone=True))
    await settled()
    waiting.cancel()
    await asyncio.gather(waiting, return_exceptions=True)
    runs.start("b")
    await settled()
    assert runs.now == {"a", "b"}
    await runs.close()
