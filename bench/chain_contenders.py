"""What bench/jobs.py compares: how the workers of each are started, and where its steps are rows."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from bench.chain_worker import NAMES
from bench.contenders import Servers

WORKERS = 2
"""Processes of each contender."""
TAKEOVER_SECONDS = 5
"""After so long without a word from its process a task is given to another, where that can be set."""

HOPPING = "hopping"


@dataclass(frozen=True)
class StepRows:
    """Statements about the rows that say that a step is done. `finished` gives their keys and when they were written,
    `ended` whether the chain $1 has ended."""

    finished: str
    ended: str
    clear: str


OURS = StepRows(
    "SELECT job_id::text || ' ' || position AS key, ended_at::text AS at FROM tasks WHERE status = 'succeeded'",
    "SELECT ended_at IS NOT NULL FROM jobs WHERE job_id = $1::text::bigint",
    "TRUNCATE jobs, steps, tasks, job_events, step_queues",
)
DBOS = StepRows(
    "SELECT workflow_uuid || ' ' || function_id AS key, completed_at_epoch_ms::text AS at FROM dbos.operation_outputs",
    "SELECT status = 'SUCCESS' FROM dbos.workflow_status WHERE workflow_uuid = $1::text",
    "TRUNCATE dbos.workflow_status, dbos.operation_outputs, dbos.workflow_input, dbos.workflow_output CASCADE",
)
# A chain has no row here that names all of it, so the idle fleet is asked about the last step of its only chain.
PROCRASTINATE = StepRows(
    "SELECT job_id::text AS key, max(at)::text AS at FROM procrastinate_events JOIN procrastinate_jobs AS j "
    "ON j.id = job_id WHERE type = 'succeeded' AND task_name = 'idle' GROUP BY job_id",
    "SELECT count(*) > 0 FROM procrastinate_jobs WHERE id >= $1::text::bigint AND task_name = 'idle' "
    "AND status = 'succeeded' AND args->>'number' = '4'",
    "TRUNCATE procrastinate_jobs CASCADE",
)
CELERY = StepRows(
    "SELECT task_id AS key, date_done::text AS at FROM celery_taskmeta WHERE status = 'SUCCESS'",
    "SELECT status = 'SUCCESS' FROM celery_taskmeta WHERE task_id = $1::text",
    "TRUNCATE celery_taskmeta",
)


@dataclass(frozen=True)
class ChainContender:
    """One way to run chains. `worker` are the arguments of Python for the process of a number; a program that submits
    is asked for by `submitter`."""

    name: str
    rows: StepRows
    submitter: str
    worker: Callable[[int], Sequence[str]]
    variables: Callable[[Servers, int], dict[str, str]]
    needs: tuple[str, ...] = ()
    hands_over: bool = field(default=True)
    """Whether the next step may run in another process."""


def our_variables(place: Servers, number: int, steps: Sequence[str] = NAMES) -> dict[str, str]:
    own = {"STEPS": ",".join(steps), "TASK_LEASE_SECONDS": str(TAKEOVER_SECONDS), "WORKER_ID": f"bench-{number}"}
    return {**place.environ, "BENCH_CONCURRENCY": str(place.concurrency), **own}


def hopping_variables(place: Servers, number: int) -> dict[str, str]:
    """No process serves two steps that follow one another."""
    return our_variables(place, number, NAMES[number::WORKERS])


def peer_variables(place: Servers, number: int) -> dict[str, str]:
    return {
        "BENCH_AMQP": place.amqp,
        "BENCH_DSN": place.dsn,
        "BENCH_CONCURRENCY": str(place.concurrency),
        "BENCH_PROCESS": f"bench-{number}",
        "BENCH_STALLED_SECONDS": str(TAKEOVER_SECONDS),
    }


def _module(name: str, *arguments: str) -> Callable[[int], Sequence[str]]:
    return lambda _: ["-m", name, *arguments]


def celery_worker(number: int) -> Sequence[str]:
    app = ["-m", "celery", "-A", "bench.peers.celery_chain", "worker", "-n", f"bench-{number}"]
    return [*app, "--loglevel", "WARNING", "--without-gossip", "--without-mingle"]


WINDMILL = "windmill"

CONTENDERS = [
    ChainContender(WINDMILL, OURS, "bench.chain_worker", _module("bench.chain_worker"), our_variables),
    ChainContender(HOPPING, OURS, "bench.chain_worker", _module("bench.chain_worker"), hopping_variables),
    ChainContender(
        "dbos",
        DBOS,
        "bench.peers.dbos_chain",
        _module("bench.peers.dbos_chain"),
        peer_variables,
        ("dbos",),
        hands_over=False,
    ),
    ChainContender(
        "procrastinate",
        PROCRASTINATE,
        "bench.peers.procrastinate_chain",
        _module("bench.peers.procrastinate_chain"),
        peer_variables,
        ("procrastinate",),
    ),
    ChainContender(
        "celery", CELERY, "bench.peers.celery_chain", celery_worker, peer_variables, ("celery", "sqlalchemy")
    ),
]
