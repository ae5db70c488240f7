"""Reading the topology from the management API, or from AMQP where the API does not answer."""

import asyncio
from collections.abc import Sequence
from functools import partial
from typing import Any

from windmill import broker
from windmill.broker.management import TOTALS, ask, quoted_vhost
from windmill.core.errors import WindmillError
from windmill.core.services import Service
from windmill.core.setting_parts import BrokerSettings, DatabaseSettings
from windmill.core.settings import Settings
from windmill.operate.doctor.findings import DoctorFinding, skipped
from windmill.operate.doctor.threads import in_thread
from windmill.operate.doctor.topology import ask_amqp, judge
from windmill.operate.doctor.topology.judge import DeclaredQueue, Topology
from windmill.operate.doctor.topology.judge_consumer_timeout import judge_consumer_timeout
from windmill.storage import database
from windmill.storage.queries import queries


async def examine(
    settings: Settings, chosen: Sequence[Service], every: Sequence[Service], seconds: float
) -> list[DoctorFinding]:
    try:
        seen = await read_topology(settings, seconds)
    except WindmillError as unseen:
        return [*await _ask_amqp(settings, chosen, unseen, seconds), *judge_consumer_timeout(settings, chosen, [])]
    return [
        *judge.judge_topology(settings, chosen, every, seen, await _read_steps(settings, seconds)),
        *await _ask_waiting(settings, chosen, seconds),
        *judge_consumer_timeout(settings, chosen, seen.policies),
    ]


async def _read_steps(settings: DatabaseSettings, seconds: float) -> list[str]:
    """The steps of jobs that the fleet has; none that the database does not tell in time, which another test says."""
    try:
        async with asyncio.timeout(seconds), database.connection(settings, "windmill doctor, steps") as connection:
            return [row["step"] for row in await connection.fetch(queries()["list_steps"])]
    except (WindmillError, TimeoutError):
        return []


async def _ask_waiting(settings: BrokerSettings, chosen: Sequence[Service], seconds: float) -> list[DoctorFinding]:
    """Counted over AMQP, because the management API lists consumers only if RabbitMQ collects statistics."""
    kinds = (broker.work_queue, broker.urgent_queue)
    work = [queue(settings, service.name) for service in chosen for queue in kinds]
    try:
        async with asyncio.timeout(seconds), broker.connection(settings, "windmill doctor, consumers") as opened:
            return judge.waiting(await broker.count_messages(opened, settings, work))
    except WindmillError as error:
        return [skipped("topology", "consumers", error.message)]
    except TimeoutError:
        return [skipped("topology", "consumers", f"the broker gave no answer within {seconds:g} s")]


async def _ask_amqp(
    settings: BrokerSettings, chosen: Sequence[Service], unseen: WindmillError, seconds: float
) -> list[DoctorFinding]:
    try:
        return await asyncio.wait_for(ask_amqp.examine(settings, chosen, unseen), seconds)
    except TimeoutError:
        return [skipped("topology", "queues", f"the broker gave no answer within {seconds:g} s")]


async def read_topology(settings: BrokerSettings, seconds: float) -> Topology:
    """The whole topology of the virtual host, from the management API."""
    host = quoted_vhost(settings)
    paths = (
        f"queues/{host}?{TOTALS}",
        f"exchanges/{host}?columns=name,type",
        f"bindings/{host}",
        f"policies/{host}",
        "overview",
    )
    replies = await asyncio.gather(*(in_thread(partial(ask, settings, path, seconds)) for path in paths))
    return parse_topology([reply.document for reply in replies])


def parse_topology(documents: Sequence[Any]) -> Topology:
    """`documents`: queues, exchanges, bindings, policies and the overview, as the API returns them."""
    queues, exchanges, bindings, policies, overview = documents
    return Topology(
        queues={one["name"]: _queue(one) for one in queues},
        exchanges={one["name"]: one["type"] for one in exchanges},
        bindings=frozenset((one["source"], one["destination"]) for one in bindings),
        policies=policies,
        version=overview.get("rabbitmq_version", ""),
    )


def _queue(one: dict[str, Any]) -> DeclaredQueue:
    """RabbitMQ leaves the type out of the arguments if the queue was declared without one."""
    arguments = {"x-queue-type": one.get("type", "classic"), **(one.get("arguments") or {})}
    return DeclaredQueue(arguments, one.get("messages", 0))
