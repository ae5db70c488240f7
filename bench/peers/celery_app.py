"""Celery: a prefork pool, late acknowledgement, a quorum queue. Its own defaults otherwise."""

# Types are checked where the library is not installed.
# mypy: disable-error-code="import-not-found, untyped-decorator"

from typing import Any

from celery import Celery
from celery.signals import worker_process_init

from bench.peers.blocking import Client
from bench.peers.environment import AMQP, QUEUE, jobs

app = Celery("bench", broker=AMQP)
app.conf.update(
    task_default_queue=QUEUE,
    task_default_queue_type="quorum",
    broker_transport_options={"confirm_publish": True},
    task_acks_late=True,
    task_reject_on_worker_lost=True,
    task_ignore_result=True,
)
clients: list[Client] = []


@worker_process_init.connect
def open_client(**_: object) -> None:
    clients.append(Client())


@app.task(name="analyse")
def analyse(job: dict[str, Any]) -> None:
    clients[0].analyse(job)


if __name__ == "__main__":
    with app.producer_or_acquire() as producer:
        for each in jobs():
            analyse.apply_async([each], producer=producer)
