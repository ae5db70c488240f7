"""The bad days of a fleet. Each returns its verdict and what it measured; the long and the short form share them."""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from tests.chaos.outages import Outage
from tests.chaos.scene import Scene, cpu_seconds
from tests.chaos.verdict import Verdict
from tests.integration.fleet import Command
from tests.waiting import at_work
from windmill import broker

GARBAGE = {
    "html_rate": 0.05,
    "cut_json_rate": 0.05,
    "empty_rate": 0.05,
    "binary_rate": 0.05,
    "error_rate": 0.05,
    "crash_rate": 0.05,
}
"""30 % of all answers."""


CALLS = 4
"""At a time, of each worker to each service."""


@dataclass
class Day:
    """How a scenario went."""

    verdict: Verdict
    recoveries: list[float] = field(default_factory=list)
    """Seconds from the moment something answered again until the next row was committed."""
    cpu: float = 0.0
    """Share of a core that a worker used at most, once it knew that its service was away."""
    lines: int = 0
    """What a worker logged at most while its service was away."""
    calls_away: int = 0
    """Calls that services which were away were asked, once the workers knew."""

    def line(self) -> str:
        recovered = ", ".join(f"{seconds:.1f} s" for seconds in self.recoveries)
        return self.verdict.line() + (f"; next row after {recovered}" if recovered else "")

    def quiet_line(self) -> str:
        quiet = f"; meanwhile {self.cpu:.2%} of a core, {self.lines} log lines, {self.calls_away} calls"
        return self.line() + quiet


async def killed(scene: Scene, times: int) -> Day:
    """One worker for all services dies by kill -9 again and again, each time in the middle of its work."""
    for turn in range(times):
        worker = await scene.start_worker()
        await scene.rows_reach(scene.pairs * (turn + 1) // (times + 1))
        await worker.kill()
    await scene.is_unfinished()
    await scene.start_worker()
    return Day(await scene.finish())


async def servers_away(scene: Scene, outage: Outage, times: int, seconds: float) -> Day:
    """What all workers need goes away and comes back, again and again."""
    await scene.start_workers()
    recoveries = []
    for turn in range(times):
        await scene.rows_reach(scene.pairs * (turn + 1) // (times + 2))
        await outage.begin()
        await at_work(seconds)  # the outage is as long as the scenario says
        back = await outage.end()
        recoveries.append(await scene.seconds_to_next_row(back))
    return Day(await scene.finish(), recoveries)


async def services_away(scene: Scene, outages: Mapping[str, Outage], seconds: float, settle: float) -> Day:
    """Services fail while others work on. `settle`: until their workers have noticed; then they have to be quiet."""
    await scene.start_workers()
    workers = {service: scene.worker_of(service) for service in outages}
    lines = await asyncio.gather(*(begun(scene, service, outage) for service, outage in outages.items()))
    await at_work(settle)  # a worker that goes quiet says nothing
    calls = sum(map(scene.farm.calls, outages))
    shares = await asyncio.gather(*(share_of_core(worker, seconds - settle) for worker in workers.values()))
    calls = sum(map(scene.farm.calls, outages)) - calls
    said = max(after - before for before, after in zip(lines, lines_of(workers), strict=True))
    for service in outages:
        await scene.is_unfinished(service)
    back = {service: await outage.end() for service, outage in outages.items()}
    recoveries = [await scene.seconds_to_next_row(moment, service) for service, moment in back.items()]
    return Day(await scene.finish(), recoveries, max(shares), said, calls)


async def begun(scene: Scene, service: str, outage: Outage) -> int:
    """Take a service away in the middle of its work; how many lines its worker had logged by then."""
    await scene.rows_reach(scene.pairs // len(scene.services) // 4, f"service = '{service}'")
    await scene.is_unfinished(service)
    lines = lines_of({service: scene.worker_of(service)})
    await outage.begin()
    return lines[0]


def lines_of(workers: Mapping[str, Command]) -> list[int]:
    """Without those of broken images, which are found whatever becomes of the service."""
    return [sum(" job failed " not in line for line in worker.log.splitlines()) for worker in workers.values()]


async def share_of_core(worker: Command, seconds: float) -> float:
    before = cpu_seconds(worker)
    await at_work(seconds)  # what is used in that time is what is measured
    return (cpu_seconds(worker) - before) / seconds


async def garbage(scene: Scene, service: str, faults: Mapping[str, float] = GARBAGE) -> Day:
    """A service gives nonsense now and then, for the whole run."""
    scene.farm.misbehave(service, **faults)
    await scene.start_workers()
    return Day(await scene.finish())


async def everything(scene: Scene, outages: Sequence[Outage], kills: int, service: str) -> Day:
    """Workers die, servers restart, and a service talks nonsense, in one run."""
    scene.farm.misbehave(service, **GARBAGE)
    await scene.start_workers()
    steps = kills + len(outages)
    to_come = list(outages)
    for step in range(steps):
        await scene.rows_reach(scene.pairs * (step + 1) // (steps + 2))
        if to_come and step % (steps // len(outages)) == 1:
            outage = to_come.pop(0)
            await outage.begin()
            await outage.end()
        else:
            await replaced(scene, step % len(scene.services))
    await scene.is_unfinished()
    for outage in to_come:
        await outage.begin()
        await outage.end()
    return Day(await scene.finish())


async def replaced(scene: Scene, place: int) -> None:
    """Kill the worker of one service, and start it again."""
    await scene.workers[place].kill()
    scene.workers[place] = await scene.fleet.worker(scene.services[place], **scene.worker_environ)


async def emptied(scene: Scene) -> tuple[Day, int]:
    """The broker loses every queue while workers consume. Returns also how many jobs one command brought back."""
    await scene.start_workers()
    await scene.rows_reach(scene.pairs // 4)
    await scene.is_unfinished()
    await without_queues(scene)
    for worker in scene.workers:
        await worker.says(" consuming ", times=2, seconds=60)
    end = await scene.fleet.run("windmill", "repair", "--services", ",".join(scene.services), "--json")
    assert end.code == 0, end.err
    return Day(await scene.finish()), int(end.json()["jobs"])


async def without_queues(scene: Scene) -> None:
    settings = scene.fleet.settings
    async with broker.connection(settings, "test") as opened:
        await broker.delete_queues(opened, settings, scene.services)
        await broker.delete_retry_tiers(opened, settings)
