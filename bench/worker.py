"""What a job costs a worker: Windmill's, the plain one that everyone writes first, and those of four libraries.

    python bench/worker.py [--jobs N] [--rounds R] [--concurrency N] [--only WAY ...] [--json]

A job: take a message from a quorum queue of RabbitMQ, read a JPEG file of 88 KB, post it to nginx, which gives a fixed
answer, write a row into PostgreSQL, acknowledge. (Dramatiq has no setting for quorum queues; its queue is a classic
one.) The ways take turns in one run, each in a process of its own that finds all its jobs in the queue. CPU is user and
system time of the worker and its children, counted from the first tenth of the rows to the last acknowledgement, so
that starting up is left out; memory (PSS) is that of the same processes at the end. `make bench` installs the
libraries; those that are missing are left out.
"""

import argparse
import asyncio
import json
import statistics
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, astuple
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from bench import nginx, pictures
from bench.contenders import CONTENDERS, OURS, Contender, Testbed, runnable
from bench.rounds import ContenderFailed, Course, Round, bodies
from bench.temporary_fleet import STATE, temporary_fleet
from bench.vhost import own_virtual_host
from dev.servers import files
from windmill import broker
from windmill.core.errors import WindmillError
from windmill.core.settings import Settings
from windmill.storage import database

FAILED, USAGE = 1, 2

# The most that our worker may need for a job, as a share of what the other one needs.
CPU_TARGETS = {"plain": 0.45, "dramatiq": 0.25, "celery": 0.18}
MEMORY_TARGETS = {"plain": 1.0}

Results = dict[str, list[Round]]


async def measure(place: Testbed, ways: Sequence[Contender], jobs: int, rounds: int) -> Results:
    """Every contender in every round, starting with another one each time."""
    messages = bodies(jobs, pictures.drawn(STATE / "pictures"))
    results: Results = {way.name: [] for way in ways}
    async with (
        database.connection(place.settings, "bench") as rows,
        broker.connection(place.settings, "bench") as queues,
    ):
        course = Course(place, messages, STATE, rows, queues)
        for number in range(rounds):
            turn = number % len(ways)
            for way in [*ways[turn:], *ways[:turn]]:
                measured = await course.run(way)
                results[way.name].append(measured)
                say(f"round {number + 1}  {_render_line(way.name, measured)}")
    return results


def medians(results: Results) -> dict[str, Round]:
    return {name: Round(*map(statistics.median, zip(*map(astuple, its), strict=True))) for name, its in results.items()}


def _render_line(name: str, measured: Round) -> str:
    return f"{name:<11} {measured.cpu_ms_per_job:>10.3f} {measured.jobs_per_second:>9,.0f} {measured.megabytes:>10.1f}"


def render_costs(found: Mapping[str, Round]) -> str:
    """One line for each contender, with our cost as a share of its cost."""
    lines = [f"{'':<11} {'CPU ms/job':>10} {'jobs/s':>9} {'memory MB':>10}   {'CPU, ours':<17} memory, ours"]
    ours = found.get(OURS)
    for name, its in found.items():
        parts = _render_ratios(ours, its, name) if ours and name != OURS else ""
        lines.append(_render_line(name, its) + parts)
    return "\n".join(lines)


def _render_ratios(ours: Round, its: Round, name: str) -> str:
    cpu = _render_limit(ours.cpu_ms_per_job / its.cpu_ms_per_job, CPU_TARGETS.get(name))
    memory = _render_limit(ours.megabytes / its.megabytes, MEMORY_TARGETS.get(name))
    return f"   {cpu:<17} {memory}".rstrip()


def _render_limit(part: float, most: float | None) -> str:
    if most is None:
        return f"{part:.2f}"
    return f"{part:.2f} {'within' if part <= most else 'OVER'} {most:.2f}"


def say(line: str) -> None:
    print(line, file=sys.stderr, flush=True)


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--jobs", type=at_least(10), default=10_000, help="of each way in each round (%(default)s)")
    parser.add_argument("--rounds", type=at_least(1), default=3, help="medians are taken over these (%(default)s)")
    parser.add_argument("--concurrency", type=at_least(1), default=2, help="calls at a time (%(default)s)")
    names = [way.name for way in CONTENDERS]
    parser.add_argument("--only", nargs="+", metavar="WAY", default=[], choices=names, help=", ".join(names))
    parser.add_argument("--json", action="store_true", help="every round and the medians as one JSON document")
    return parser.parse_args()


def at_least(low: int) -> Callable[[str], int]:
    def parse(value: str) -> int:
        if not value.isdecimal() or int(value) < low:
            raise argparse.ArgumentTypeError(f"{value!r} must be a whole number of at least {low}")
        return int(value)

    return parse


def render_json(place: Testbed, jobs: int, results: Results) -> str:
    rounds = {name: [asdict(each) for each in its] for name, its in results.items()}
    middle = {name: asdict(its) for name, its in medians(results).items()}
    return json.dumps({"jobs": jobs, "concurrency": place.concurrency, "medians": middle, "rounds": rounds}, indent=2)


def run(wanted: argparse.Namespace, ways: Sequence[Contender]) -> str:
    """Measure, and render the result."""
    with (
        files.locked(STATE / "worker.lock", lambda: say("another benchmark runs here; waits for it")),
        nginx.answering(STATE) as port,
        temporary_fleet() as fleet,
        own_virtual_host(fleet) as environ,
    ):
        place = Testbed(environ, Settings.from_env(environ), wanted.concurrency, port)
        results = asyncio.run(measure(place, ways, wanted.jobs, wanted.rounds))
    return render_json(place, wanted.jobs, results) if wanted.json else render_costs(medians(results))


def main() -> int:
    wanted = arguments()
    ways = runnable(CONTENDERS, wanted.only, say)
    if not ways:
        return USAGE
    try:
        print(run(wanted, ways))
    except nginx.NoNginx as error:
        say(f"{error}; install nginx, or put it on PATH")
        return USAGE
    except (ContenderFailed, WindmillError) as error:
        say(str(error))
        return FAILED
    return 0


if __name__ == "__main__":
    sys.exit(main())
