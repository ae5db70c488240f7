"""DBOS: the chain is a workflow of steps. One process runs all of it, and writes a row after each step.

Workflows come from a queue without a limit for a worker, so that a process starts what it finds at once.
"""

# Types are checked where the library is not installed.
# mypy: disable-error-code="import-not-found, untyped-decorator"

import os
import signal
import sys
import threading

from dbos import DBOS, DBOSClient, run_dbos_database_migrations

from bench.chain_environment import STEPS, serve_orders

DATABASE = os.environ["BENCH_DSN"].replace("postgresql://", "postgresql+psycopg://")
QUEUE = "chains"


@DBOS.step()
def idle(number: int) -> int:
    return number


@DBOS.workflow()
def chain() -> None:
    for number in range(STEPS):
        idle(number)


def work() -> None:
    stop = threading.Event()
    signal.signal(signal.SIGTERM, lambda *_: stop.set())
    DBOS(
        config={
            "name": "bench",
            "system_database_url": DATABASE,
            "application_version": "1",
            "executor_id": os.environ["BENCH_PROCESS"],
            "log_level": "WARNING",
        }
    )
    DBOS.launch()
    DBOS.register_queue(QUEUE, polling_interval_sec=float(os.environ.get("BENCH_POLL", "1.0")))
    stop.wait()
    DBOS.destroy()


def submit() -> None:
    run_dbos_database_migrations(DATABASE)
    client = DBOSClient(system_database_url=DATABASE)
    serve_orders(lambda: client.enqueue({"queue_name": QUEUE, "workflow_name": chain.__qualname__}).get_workflow_id())


if __name__ == "__main__":
    submit() if "submit" in sys.argv else work()
