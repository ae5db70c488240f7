"""Programs that run alone, or as parts of one process."""

import asyncio
import json
import logging
from collections.abc import Iterable, Mapping
from dataclasses import replace

import pytest

from tests.parallel import free_offset
from tests.unit.process.metrics_scene import asked, get
from tests.waiting import forever, until
from windmill.core.errors import WindmillError
from windmill.core.settings import Settings
from windmill.process.health import HealthCheck
from windmill.process.lifecycle import Program
from windmill.process.metric import Sample
from windmill.process.metrics import CALLS, RECONNECTS
from windmill.process.parts import Part, run_alone, run_together

logger = logging.getLogger("tests.parts")
SETTINGS = Settings.from_env({"WORKER_ID": "k3"})


def well() -> None:
    return None


class Mill:
    """A part that works until it is told to stop, then takes its time, and notes how it ended."""

    def __init__(self, name: str, broker: HealthCheck = well, calls: float = 1) -> None:
        self.name = name
        self._broker = broker
        self._calls = calls
        self.begun = asyncio.Event()
        self.fails = asyncio.Event()
        self.may_end = asyncio.Event()
        self.may_end.set()
        self.failure: Exception | None = WindmillError("CONFIG_INVALID", f"{name} has no such account")
        self.program: Program | None = None
        self.end = "still at work"

    def part(self) -> Part:
        return Part(self.name, f"windmill-{self.name}", f"mills.{self.name}", self.work)

    async def work(self, program: Program) -> None:
        self.program = program
        try:
            async with program.monitoring(self._ready(), self._samples):
                program.announce(logger, "milling", f"mills {self.name}")
                self.begun.set()
                await self._until_stopped(program)
                await self.may_end.wait()
            self.end = "ended well"
        except asyncio.CancelledError:
            self.end = "cut short"
            raise

    async def _until_stopped(self, program: Program) -> None:
        waits = [asyncio.ensure_future(one.wait()) for one in (program.stop, self.fails)]
        await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
        if self.fails.is_set() and self.failure:
            raise self.failure

    def _ready(self) -> Mapping[str, HealthCheck]:
        return {"broker": self._broker, self.name: well}

    async def _samples(self) -> Iterable[Sample]:
        return [Sample(CALLS, ("face",), self._calls), Sample(RECONNECTS, (self.name,), 1)]


class Machine:
    """Runs mills together in the background."""

    def __init__(self, *mills: Mill, settings: Settings = SETTINGS) -> None:
        self.stop = asyncio.Event()
        self._mills = mills
        self.running = asyncio.ensure_future(run_together([mill.part() for mill in mills], settings, self.stop))

    async def __aenter__(self) -> "Machine":
        for mill in self._mills:
            await asyncio.wait_for(mill.begun.wait(), 5)
        return self

    async def __aexit__(self, *_: object) -> None:
        self.running.cancel()
        await asyncio.gather(self.running, return_exceptions=True)


async def test_a_part_alone_has_its_own_names_and_the_stop_of_the_process() -> None:
    mill, stop = Mill("wind"), asyncio.Event()
    running = asyncio.ensure_future(run_alone(mill.part(), SETTINGS, stop))
    await asyncio.wait_for(mill.begun.wait(), 5)
    assert mill.program
    assert (mill.program.title, mill.program.module, mill.program.stop) == ("windmill-wind k3", "mills.wind", stop)
    stop.set()
    assert await asyncio.wait_for(running, 5) == 0
    assert mill.end == "ended well"


async def test_all_parts_stop_when_the_process_is_told_to_and_each_takes_its_time() -> None:
    wind, water = Mill("wind"), Mill("water")
    water.may_end.clear()
    async with Machine(wind, water) as machine:
        machine.stop.set()
        await until(lambda: wind.end == "ended well", 5)
        assert not machine.running.done()
        water.may_end.set()
        assert await asyncio.wait_for(machine.running, 5) == 0
    assert water.end == "ended well"


async def test_a_part_among_others_has_the_names_that_it_has_alone() -> None:
    wind, water = Mill("wind"), Mill("water")
    async with Machine(wind, water):
        assert wind.program
        assert water.program
        assert [wind.program.title, water.program.title] == ["windmill-wind k3", "windmill-water k3"]


async def test_a_part_that_fails_ends_all_well_and_is_named(caplog: pytest.LogCaptureFixture) -> None:
    wind, water = Mill("wind"), Mill("water")
    async with Machine(wind, water) as machine:
        wind.fails.set()
        with pytest.raises(WindmillError, match="wind has no such account"):
            await asyncio.wait_for(machine.running, 5)
        assert not machine.stop.is_set(), "the first signal after it has to be taken for the first"
    assert water.end == "ended well"
    (said,) = [record for record in caplog.records if record.levelname == "ERROR"]
    assert said.getMessage() == "a part failed, and all stop"
    assert "wind has no such account" in vars(said)["reason"]


async def test_of_two_failures_the_first_is_raised() -> None:
    wind, water = Mill("wind"), Mill("water")
    water.may_end.clear()
    async with Machine(wind, water) as machine:
        wind.fails.set()
        assert water.program
        await asyncio.wait_for(water.program.stop.wait(), 5)
        water.fails.set()
        water.may_end.set()
        with pytest.raises(WindmillError, match="wind has no such account"):
            await asyncio.wait_for(machine.running, 5)


async def test_a_part_that_ends_without_being_told_to_is_a_defect() -> None:
    wind, water = Mill("wind"), Mill("water")
    wind.failure = None
    async with Machine(wind, water) as machine:
        wind.fails.set()
        with pytest.raises(WindmillError, match=r"DEFECT: mills\.wind ended although nothing had asked it to stop"):
            await asyncio.wait_for(machine.running, 5)
    assert water.end == "ended well"


async def test_a_part_that_is_cut_short_by_itself_ends_all_others_well() -> None:
    water = Mill("water")

    async def cut_short(_: Program) -> None:
        await water.begun.wait()
        raise asyncio.CancelledError

    part = Part("wind", "windmill-wind", "mills.wind", cut_short)
    running = asyncio.ensure_future(run_together([part, water.part()], SETTINGS, asyncio.Event()))
    with pytest.raises(asyncio.CancelledError):
        await asyncio.wait_for(running, 5)
    assert water.end == "ended well"


async def test_a_second_signal_cuts_all_parts_short() -> None:
    wind, water = Mill("wind"), Mill("water")
    for mill in (wind, water):
        mill.may_end.clear()
    async with Machine(wind, water) as machine:
        machine.stop.set()
        assert wind.program
        await asyncio.wait_for(wind.program.stop.wait(), 5)
        machine.running.cancel()
        with pytest.raises(asyncio.CancelledError):
            await asyncio.wait_for(machine.running, 5)
    assert [wind.end, water.end] == ["cut short", "cut short"]


async def test_one_port_serves_the_health_and_the_metrics_of_all_parts() -> None:
    port = 20_000 + free_offset([20_000])
    settings = replace(SETTINGS, metrics_port=port, metrics_host="127.0.0.1")
    wind, water = Mill("wind", calls=2), Mill("water", broker=lambda: "unavailable for 3 s", calls=3)
    async with Machine(wind, water, settings=settings):
        status, _, body = await asked(port, get("/readyz"))
        assert status == 503
        assert json.loads(body) == {
            "ok": ["main loop", "running", "wind", "water"],
            "failing": {"broker": "water: unavailable for 3 s"},
        }
        assert (await asked(port, get("/healthz")))[0] == 200
        _, _, told = await asked(port, get("/metrics"))
    assert 'windmill_calls_in_flight{service="face"} 5.0\n' in told
    assert 'windmill_reconnects_total{server="wind"} 1.0\n' in told
    assert 'windmill_ready{check="broker"} 0.0\n' in told
    assert told.count('program="windmill run"') == 1


async def test_a_process_is_not_ready_while_one_of_its_parts_starts() -> None:
    port = 20_000 + free_offset([20_000])
    settings = replace(SETTINGS, metrics_port=port, metrics_host="127.0.0.1")
    wind, stop = Mill("wind"), asyncio.Event()

    async def waits_for_its_database(_: Program) -> None:
        await forever()

    late = Part("late", "windmill-late", "mills.late", waits_for_its_database)
    running = asyncio.ensure_future(run_together([wind.part(), late], settings, stop))
    await asyncio.wait_for(wind.begun.wait(), 5)
    status, _, body = await asked(port, get("/readyz"))
    assert (status, json.loads(body)["failing"]) == (503, {"running": "late: is starting"})
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)
