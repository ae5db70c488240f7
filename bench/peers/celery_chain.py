"""Celery: a chain of tasks over quorum queues with late acknowledgement, whose results are rows in the database."""

# Types are checked where the library is not installed.
# mypy: disable-error-code="import-not-found, untyped-decorator"

import os

from celery import Celery, chain

from bench.chain_environment import STEPS, serve_orders

app = Celery(
    "bench",
    broker=os.environ["BENCH_AMQP"],
    backend=os.environ["BENCH_DSN"].replace("postgresql://", "db+postgresql+psycopg://"),
)
app.conf.update(
    task_default_queue="chains",
    task_default_queue_type="quorum",
    broker_transport_options={"confirm_publish": True},
    task_acks_late=True,
    task_reject_on_worker_lost=True,
    worker_prefetch_multiplier=1,
)


@app.task(name="idle")
def idle() -> None:
    """A step."""


if __name__ == "__main__":
    serve_orders(lambda: chain(*(idle.si() for _ in range(STEPS))).apply_async().id)
