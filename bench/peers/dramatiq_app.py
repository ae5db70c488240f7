"""Dramatiq: one process of threads. Its queues are classic ones; it has no setting for quorum queues."""

# Types are checked where the library is not installed.
# mypy: disable-error-code="import-not-found, untyped-decorator"

import threading
from typing import Any

import dramatiq
from dramatiq.brokers.rabbitmq import RabbitmqBroker

from bench.peers.blocking import Client
from bench.peers.environment import AMQP, QUEUE, jobs

dramatiq.set_broker(RabbitmqBroker(url=AMQP, confirm_delivery=True))
of_thread = threading.local()


@dramatiq.actor(queue_name=QUEUE)
def analyse(job: dict[str, Any]) -> None:
    if not hasattr(of_thread, "client"):
        of_thread.client = Client()
    of_thread.client.analyse(job)


if __name__ == "__main__":
    for each in jobs():
        analyse.send(each)
