"""A service that bears one caller, and several processes that call it: it counts how often two called at once."""

import json
import os
import signal
import sys
import time
from collections.abc import Callable, Sequence
from contextlib import AsyncExitStack
from pathlib import Path

import pytest

from tests.e2e.conftest import Farm
from tests.e2e.frail_service import Break, FrailService, frail_service
from tests.e2e.postprocessor_scene import SAVE, box, fresh, started
from tests.integration.fleet import Command, Fleet
from tests.waiting import until
from windmill.calling.canaries import canary_image
from windmill.core.settings import ROOT

pytestmark = [pytest.mark.database, pytest.mark.broker, pytest.mark.timeout(180)]

FRAIL = ("face", "pose")
PORTRAIT = canary_image("body")
BLIND = """
SELECT count(*) FROM results WHERE status <> 'success' OR json_array_length(data -> 'predictions') = 0
"""
BLIND_BOXES = """
SELECT count(*) FROM postprocessing
WHERE NOT final OR (service <> 'colors' AND json_array_length(data -> 'predictions') = 0)
"""


def overlaps(farm: Farm) -> dict[str, int]:
    return {service: int(farm.control.counts()[service]["overlaps"]) for service in FRAIL}


def cpu_milliseconds(commands: Sequence[Command]) -> float:
    """What these processes have used so far."""
    ticks = 0
    for command in commands:
        fields = Path(f"/proc/{command.process.pid}/stat").read_text().rpartition(")")[2].split()
        ticks += int(fields[11]) + int(fields[12])
    return 1000 * ticks / os.sysconf("SC_CLK_TCK")


async def run_everything(fleet: Fleet, images: int, calls: Callable[[], int], seconds: float) -> list[Command]:
    """Every image to both services by three workers, and a box of each to both by two post-processors. `calls` tells
    how many the services have had, which is cheaper to ask than what was made of them."""
    ids = await fleet.register_pictures(images, PORTRAIT)
    processes = [await fleet.worker(",".join(FRAIL)) for _ in range(3)]
    processes += [await started(fleet) for _ in range(2)]
    person = [box(0, "person") | {"bbox": {"x": 0, "y": 0, "width": 270, "height": 320}}]
    answer = json.dumps({"service": "yolov8", "status": "success", "predictions": person, "metadata": {}})
    await fleet.rows.executemany(SAVE, [(image_id, "yolov8", answer) for image_id in ids])
    await fleet.produce("--services", ",".join(FRAIL))

    async def done() -> bool:
        if calls() < 4 * images:
            return False
        found = await fleet.rows.fetchval("SELECT count(*) FROM results WHERE service <> 'yolov8'")
        boxes = await fleet.rows.fetchval("SELECT count(*) FROM postprocessing WHERE final AND service <> 'colors'")
        return bool(found >= 2 * images and boxes >= 2 * images)

    await until(done, seconds, lambda: f"all answers after {calls()} calls\n{fleet.logs()}")
    return processes


async def everything_was_found(fleet: Fleet) -> None:
    await fresh(fleet)
    assert await fleet.rows.fetchval(BLIND) == 0
    assert await fleet.rows.fetchval(BLIND_BOXES) == 0


@pytest.mark.parametrize(
    "fault",
    ["overlap_blind", pytest.param("overlap_crash", marks=pytest.mark.slow(reason="13 s: another way to fail"))],
)
async def test_workers_and_post_processors_never_call_a_frail_service_at_once(
    fleet: Fleet, farm: Farm, fault: str
) -> None:
    for service in FRAIL:
        farm.misbehave(service, **{fault: 1})
    await run_everything(fleet, 30, lambda: sum(farm.calls(service) for service in FRAIL), 120)
    await everything_was_found(fleet)
    assert overlaps(farm) == dict.fromkeys(FRAIL, 0)
    assert all(farm.calls(service) >= 60 for service in FRAIL)


def config_of(services: Sequence[FrailService], folder: Path) -> Path:
    """The fleet with these services; only they get crops."""
    document = json.loads((ROOT / "service_config.json").read_text())
    del document["services"]["colors"]["enriches"]
    for service in services:
        document["services"][service.name]["port"] = service.port
    path = folder / "services.json"
    path.write_text(json.dumps(document))
    return path


@pytest.mark.slow(reason="ten thousand calls, one at a time")
@pytest.mark.timeout(1500)
@pytest.mark.parametrize("breaks", ["blind", "crash"])
async def test_no_call_of_ten_thousand_overlaps_another(fleet: Fleet, tmp_path: Path, breaks: Break) -> None:
    async with AsyncExitStack() as stack:
        services = [await stack.enter_async_context(frail_service(name, breaks)) for name in FRAIL]
        fleet.environ |= {"SERVICE_CONFIG": str(config_of(services, tmp_path)), "CANARY_SECONDS": "5"}
        began = time.perf_counter()
        processes = await run_everything(fleet, 2500, lambda: sum(one.calls for one in services), 1400)
        seconds = time.perf_counter() - began
        await everything_was_found(fleet)
    calls, overlapping = sum(one.calls for one in services), sum(one.overlaps for one in services)
    cost = cpu_milliseconds(processes) / calls
    sys.stdout.write(f"{calls} calls in {seconds:.0f} s, {overlapping} overlap; {cost:.2f} ms CPU each, all included\n")
    assert calls > 10_000, "jobs, and canaries between them"
    assert overlapping == 0


@pytest.mark.parametrize(
    "number",
    [
        pytest.param(signal.SIGKILL, id="killed"),
        pytest.param(signal.SIGSTOP, id="frozen", marks=pytest.mark.slow(reason="35 s: leases have to run out")),
    ],
)
async def test_the_slot_of_a_process_that_is_gone_becomes_free_after_its_call(
    fleet: Fleet, farm: Farm, number: int
) -> None:
    """The service works on the call of the one that is gone for as long as it takes, and nobody calls meanwhile."""
    farm.misbehave("pose", overlap_blind=1, slowness=1)
    await fleet.register_pictures(4, PORTRAIT)
    holder = await fleet.worker("pose", REQUEST_TIMEOUT="3")
    await fleet.produce("--services", "pose")
    await until(lambda: farm.in_flight() == 1)
    holder.process.send_signal(number)
    other = await fleet.worker("pose", REQUEST_TIMEOUT="3")
    try:
        await until(lambda: farm.calls("pose") >= 3, 60, fleet.logs)
    finally:
        if number == signal.SIGSTOP:
            await holder.kill()
    await fleet.stored(4)
    await other.stop()
    assert overlaps(farm)["pose"] == 0
    assert await fleet.rows.fetchval(BLIND) == 0


@pytest.mark.slow(reason="10 s: a call has to run out")
async def test_a_call_that_timed_out_keeps_its_slot_while_the_service_works_on_it(fleet: Fleet, farm: Farm) -> None:
    """The probe that follows it does not overlap it either."""
    farm.misbehave("pose", slowness=1.5)
    await fleet.register_pictures(2, PORTRAIT)
    worker = await fleet.worker("pose", REQUEST_TIMEOUT="1")
    await fleet.produce("--services", "pose")
    await until(lambda: farm.calls("pose") >= 2, 60, fleet.logs)
    farm.behave("pose")
    await fleet.stored(2)
    await worker.stop()
    assert overlaps(farm)["pose"] == 0


async def test_services_that_bear_many_callers_have_no_slots(fleet: Fleet, farm: Farm) -> None:
    await fleet.register_pictures(2, PORTRAIT)
    worker = await fleet.worker("clip,pose")
    await fleet.produce("--services", "clip,pose")
    await fleet.stored(4)
    await worker.stop()
    assert await fleet.rows.fetchval("SELECT array_agg(DISTINCT service) FROM fleet_slots") == ["pose"]


@pytest.mark.slow(reason="four thousand calls, for a difference of microseconds")
@pytest.mark.timeout(900)
async def test_a_slot_costs_little_per_call(fleet: Fleet, farm: Farm, tmp_path: Path) -> None:
    """One worker and one service, with slots and without, in turns; the fastest of two counts."""
    document = json.loads((ROOT / "service_config.json").read_text())
    del document["services"]["pose"]["fleet_concurrency"]
    without = tmp_path / "without.json"
    without.write_text(json.dumps(document))
    costs: dict[str, list[float]] = {"without": [], "with": []}
    for turn in range(4):
        kind = ("without", "with")[turn % 2]
        more = {"SERVICE_CONFIG": str(without)} if kind == "without" else {}
        worker = await fleet.worker("pose", **more)
        await fleet.register_pictures(1000, PORTRAIT)
        before = cpu_milliseconds([worker])
        await fleet.produce("--services", "pose")
        await fleet.stored(1000 * (turn + 1), 300)
        costs[kind].append((cpu_milliseconds([worker]) - before) / 1000)
        await worker.stop()
    sys.stdout.write("".join(f"{kind} slots {min(each):.3f} ms CPU a call\n" for kind, each in costs.items()))
    assert min(costs["with"]) < min(costs["without"]) + 1
