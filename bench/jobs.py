"""What a step of a job costs: with Windmill, DBOS, Procrastinate and Celery.

    python bench/jobs.py [--chains N] [--idle N] [--rounds R] [--concurrency N] [--only WAY ...] [--no-kill] [--json]

A job is a chain of five steps that do nothing, each of which is a row in PostgreSQL before the next one starts. All
contenders use the same private servers: PostgreSQL with fsync and synchronous_commit on, and quorum queues with
confirmed publishing where they use RabbitMQ. Each has two processes, and takes its turn in every round:

- steps/s: all chains are there before the workers start; from the first fifth of the steps to the last one. CPU is that
  of the workers meanwhile, and that of both servers.
- p50 and p99: one chain at a time, from before it is submitted until its end can be seen, which is asked every
  millisecond.

`windmill` may run the next step of a job in the process that ended the one before (going on); with `hopping` no process
serves two steps that follow one another, so each step is handed over. DBOS runs a chain in one process. Between the
chains of `windmill` on an idle fleet commits and confirmed publishes are measured alone. Each contender's workers are
killed once with SIGKILL in the middle of a race: its finished steps must be as they were, and the rest be done by
others.

On a machine that is busy with other work compare CPU: the kernel shares processors between sessions, so a contender
that leaves most of its work to one server gets fewer of them than one that does it in its own processes.

`make bench` installs the libraries; those that are missing are left out. Prefect is left out: it runs all steps of a
flow in one process as DBOS does, but only with a server and seventy more packages.
"""

import argparse
import asyncio
import json
import statistics
import sys
from collections.abc import Mapping, Sequence
from contextlib import AsyncExitStack
from dataclasses import asdict, astuple, dataclass
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from bench.chain_contenders import CONTENDERS, HOPPING, WINDMILL, ChainContender
from bench.chain_kills import Kill, kill_once
from bench.chain_rounds import ChainCourse, ChainRound
from bench.contenders import Servers, runnable
from bench.floor import Floor, FloorMeter
from bench.rounds import ContenderFailed
from bench.temporary_fleet import STATE, temporary_fleet
from bench.vhost import own_virtual_host
from bench.worker import FAILED, USAGE, at_least, say
from dev import servers
from dev.servers import files
from windmill.core.errors import WindmillError
from windmill.core.settings import Settings
from windmill.storage import database

DURABLE = ("fsync", "synchronous_commit", "full_page_writes")
OF_DBOS = 0.7
"""Of the steps/s of DBOS, which hands nothing over, we want to reach so much."""
OF_FLOOR = 3.0
"""A chain on an idle fleet may take so many times what its commits and its confirm take alone."""


@dataclass(frozen=True)
class Found:
    """All that was measured, by contender."""

    rounds: Mapping[str, list[ChainRound]]
    floor: Floor | None
    kills: Mapping[str, Kill]

    @property
    def medians(self) -> dict[str, ChainRound]:
        return {
            name: ChainRound(*map(statistics.median, zip(*map(astuple, its), strict=True)))
            for name, its in self.rounds.items()
        }


async def measure(place: Servers, ways: Sequence[ChainContender], wanted: argparse.Namespace) -> Found:
    """Every contender in every round, starting with another one each time."""
    rounds: dict[str, list[ChainRound]] = {way.name: [] for way in ways}
    kills = {}
    async with AsyncExitStack() as stack:
        rows = await stack.enter_async_context(database.connection(place.settings, "bench"))
        await check_durable(rows)
        pids = [one.pid for one in servers.instance(STATE).status() if one.pid]
        meter = FloorMeter(place.settings, rows)
        course = ChainCourse(place, wanted.chains, wanted.idle, STATE, rows, pids, meter)
        for way in ways:
            course.log(way).unlink(missing_ok=True)
        for number in range(wanted.rounds):
            turn = number % len(ways)
            for way in [*ways[turn:], *ways[:turn]]:
                rounds[way.name].append(await course.run(way))
                say(f"round {number + 1}  {_render_line(way.name, rounds[way.name][-1])}")
        for way in ways if wanted.kill else ():
            kills[way.name] = await kill_once(course, way)
            say(render_kill(way.name, kills[way.name]))
    return Found(rounds, meter.floor, kills)


async def check_durable(rows: database.Connection) -> None:
    for name in DURABLE:
        if await rows.fetchval(f"SHOW {name}") != "on":
            raise ContenderFailed(f"{name} is not on")


def _render_line(name: str, its: ChainRound) -> str:
    cpu = f"{its.cpu_ms_per_step:>11.2f} {its.server_cpu_ms_per_step:>14.2f}"
    return f"{name:<14} {its.steps_per_second:>8,.0f} {cpu} {its.p50_ms:>9.1f} {its.p99_ms:>9.1f}"


def render_kill(name: str, kill: Kill) -> str:
    fate = "as they were" if not kill.changed else f"{kill.changed} of them CHANGED"
    return f"{name:<14} killed after {kill.before} steps, which are {fate}; {kill.after} in the end"


def render(found: Found) -> str:
    heads = f"{'':<14} {'steps/s':>8} {'CPU ms/step':>11} {'of the servers':>14} {'p50 ms':>9} {'p99 ms':>9}"
    lines = [heads, *(_render_line(name, its) for name, its in found.medians.items())]
    lines += [render_kill(name, kill) for name, kill in found.kills.items()]
    ours = found.medians.get(WINDMILL)
    if ours and found.floor:
        lines += [f"a commit takes {found.floor.commit:.2f} ms, a confirm {found.floor.confirm:.2f} ms"]
        lines += render_goals(ours, found, found.floor.chain)
    return "\n".join(lines)


def render_goals(ours: ChainRound, found: Found, floor: float) -> list[str]:
    """How far we are, and in the last line the figures that sum it up."""
    others = {name: its for name, its in found.medians.items() if name not in (WINDMILL, HOPPING)}
    lines = [f"p50 is {ours.p50_ms / floor:.2f} times six commits and a confirm ({floor:.1f} ms), {OF_FLOOR:g} at most"]
    if dbos := others.pop("dbos", None):
        part = ours.steps_per_second / dbos.steps_per_second
        lines.append(f"steps/s are {part:.2f} of dbos, {OF_DBOS:g} at least; by CPU {dbos.cpu / ours.cpu:.2f}")
    best = max(others, key=lambda name: others[name].steps_per_second, default="none")
    speed = others[best].steps_per_second if others else 0.0
    summary = f"jobs: ours {ours.steps_per_second:.0f} steps/s, best other {best} {speed:.0f} steps/s"
    return [*lines, f"{summary}, p50 {ours.p50_ms:.1f} ms"]


def render_json(found: Found) -> str:
    rounds = {name: [asdict(each) for each in its] for name, its in found.rounds.items()}
    middle = {name: asdict(its) for name, its in found.medians.items()}
    kills = {name: asdict(its) for name, its in found.kills.items()}
    return json.dumps(
        {"floor": found.floor and asdict(found.floor), "medians": middle, "rounds": rounds, "kills": kills}, indent=2
    )


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--chains", type=at_least(10), default=300, help="of each way in each round (%(default)s)")
    parser.add_argument("--idle", type=at_least(2), default=30, help="chains on an idle fleet (%(default)s)")
    parser.add_argument("--rounds", type=at_least(1), default=3, help="medians are taken over these (%(default)s)")
    parser.add_argument("--concurrency", type=at_least(1), default=4, help="tasks of a process (%(default)s)")
    names = [way.name for way in CONTENDERS]
    parser.add_argument("--only", nargs="+", metavar="WAY", default=[], choices=names, help=", ".join(names))
    parser.add_argument("--no-kill", dest="kill", action="store_false", help="kill no workers")
    parser.add_argument("--json", action="store_true", help="every round and the medians as one JSON document")
    return parser.parse_args()


def run(wanted: argparse.Namespace, ways: Sequence[ChainContender]) -> str:
    """Measure, and render the result."""
    with (
        files.locked(STATE / "worker.lock", lambda: say("another benchmark runs here; waits for it")),
        temporary_fleet() as fleet,
        own_virtual_host(fleet) as environ,
    ):
        place = Servers(environ, Settings.from_env(environ), wanted.concurrency)
        found = asyncio.run(measure(place, ways, wanted))
    return render_json(found) if wanted.json else render(found)


def main() -> int:
    wanted = arguments()
    ways = runnable(CONTENDERS, wanted.only, say)
    if not ways:
        return USAGE
    try:
        print(run(wanted, ways))
    except (ContenderFailed, WindmillError) as error:
        say(str(error))
        return FAILED
    return 0


if __name__ == "__main__":
    sys.exit(main())
