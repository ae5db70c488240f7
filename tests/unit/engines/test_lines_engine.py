"""A program that stays alive between requests."""

import asyncio
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from tests.conformance.engines.rigs import ENVIRON, request_in
from windmill.core.errors import WindmillError
from windmill.engines.engine import EngineOutput
from windmill.engines.entries import ProcessEntry
from windmill.engines.process.lines_engine import LinesEngine

PROGRAM = """
import json, os, pathlib, sys
print("ready")
for line in sys.stdin:
    request = json.loads(line)
    prompt = request["parameters"]["prompt"]
    if prompt == "die":
        print("farewell", file=sys.stderr, flush=True)
        os._exit(9)
    if prompt == "leave":
        break
    if prompt == "confuse":
        print(json.dumps({"id": "somebody else", "error": "no"}))
    if prompt == "refuse":
        print(json.dumps({"id": request["id"], "error": "I do not paint that"}), flush=True)
        continue
    print(json.dumps({"id": request["id"], "progress": 50}))
    pathlib.Path(request["output_dir"], "pid.txt").write_text(str(os.getpid()))
    print(json.dumps({"id": request["id"]}), flush=True)
"""


class Painter:
    """The engine, and requests by their prompts."""

    def __init__(self, engine: LinesEngine, folder: Path) -> None:
        self.engine = engine
        self.told: list[float] = []
        self._folder = folder
        self._count = 0

    async def paint(self, prompt: str) -> EngineOutput:
        self._count += 1
        request = request_in(self._folder, f"job-{self._count}", prompt=prompt)
        return await self.engine.run(request, self.told.append, asyncio.Event())

    async def pid(self, prompt: str = "a mill") -> str:
        [file] = (await self.paint(prompt)).files
        return file.path.read_text()

    async def failure(self, prompt: str) -> str:
        with pytest.raises(WindmillError) as raised:
            await self.paint(prompt)
        assert raised.value.code == "PROCESS_FAILED"
        return raised.value.message


@asynccontextmanager
async def painter(folder: Path) -> AsyncIterator[Painter]:
    engine = LinesEngine("it", ProcessEntry(command=(sys.executable, "-c", PROGRAM), keep_alive=True), ENVIRON)
    try:
        yield Painter(engine, folder)
    finally:
        await engine.close()


def is_alive(pid: str) -> bool:
    return Path("/proc", pid).exists()


async def test_one_process_does_many_requests(tmp_path: Path) -> None:
    async with painter(tmp_path) as it:
        assert await it.pid() == await it.pid()
        assert it.told == [0.5, 0.5]


async def test_requests_at_the_same_time_take_turns(tmp_path: Path) -> None:
    async with painter(tmp_path) as it:
        assert len(set(await asyncio.gather(*(it.pid() for _ in range(5))))) == 1


async def test_a_request_that_it_refuses_costs_it_nothing(tmp_path: Path) -> None:
    async with painter(tmp_path) as it:
        before = await it.pid()
        assert "I do not paint that" in await it.failure("refuse")
        assert await it.pid() == before


async def test_the_answer_to_another_request_is_not_taken_for_its_own(tmp_path: Path) -> None:
    async with painter(tmp_path) as it:
        assert await it.pid("confuse")


async def test_after_its_death_the_next_request_starts_another(tmp_path: Path) -> None:
    async with painter(tmp_path) as it:
        before = await it.pid()
        said = await it.failure("die")
        assert "exit code 9" in said
        assert "farewell" in said
        assert await it.pid() != before


async def test_one_that_ends_without_an_answer_has_failed(tmp_path: Path) -> None:
    async with painter(tmp_path) as it:
        assert "without an answer" in await it.failure("leave")


async def test_with_its_engine_it_ends(tmp_path: Path) -> None:
    async with painter(tmp_path) as it:
        pid = await it.pid()
        assert is_alive(pid)
    assert not is_alive(pid)
