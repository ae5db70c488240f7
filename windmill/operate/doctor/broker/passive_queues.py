"""What AMQP alone tells of queues: whether each is there, and whether it is declared as it should be."""

from collections.abc import Sequence

from windmill import broker
from windmill.core.errors import WindmillError
from windmill.core.services import Service
from windmill.core.setting_parts import BrokerSettings
from windmill.operate.doctor.broker import differences
from windmill.operate.doctor.broker import judge_queues as topology
from windmill.operate.doctor.findings import Finding, not_asked, ok, problem, warning

_UNSEEN = "policies, bindings, left-over queues and jobs without workers cannot be seen"


async def examine(settings: BrokerSettings, services: Sequence[Service], unseen: WindmillError) -> list[Finding]:
    blind = warning("topology", "management", f"{_UNSEEN}: {unseen.message}", unseen.remedy)
    try:
        async with broker.connection(settings, "windmill doctor, queues") as opened:
            return [*await _queues(opened, settings, services), *await _exchanges(opened, settings), blind]
    except WindmillError as error:
        return [not_asked("topology", "queues", error.message)]


async def _queues(opened: broker.Connection, settings: BrokerSettings, services: Sequence[Service]) -> list[Finding]:
    wanted = topology.wanted_queues(settings, services)
    found = []
    for name, arguments in wanted.items():
        complaint = await _complaint_of_queue(opened, settings, name, arguments)
        if _is_missing(complaint):
            found.append(topology.missing(name))
        elif complaint:
            found.append(topology.other(settings, name, differences.complaint(complaint)))
    return found or [ok("topology", "queues", f"all {len(wanted)} are as they should be ({settings.queue_type})")]


async def _complaint_of_queue(
    opened: broker.Connection, settings: BrokerSettings, name: str, arguments: topology.Arguments
) -> str:
    """What the broker says against declaring this queue; empty when nothing."""
    try:
        with broker.translate_errors(settings):
            async with opened.channel() as channel:
                await channel.declare_queue(name, passive=True)
                # It is there, so this makes nothing: the broker compares, and refuses when something differs.
                await channel.declare_queue(name, durable=True, arguments=dict(arguments))  # type: ignore[arg-type]
    except WindmillError as error:
        return _if_of_the_queue(error)
    return ""


async def _exchanges(opened: broker.Connection, settings: BrokerSettings) -> list[Finding]:
    found = []
    for delay in broker.retry_tiers(settings):
        name = broker.retry_exchange(delay)
        complaint = await _complaint_of_exchange(opened, settings, name)
        if complaint:
            said = (
                f"missing: +exchange {name}"
                if _is_missing(complaint)
                else f"differs: {differences.complaint(complaint)}"
            )
            found.append(problem("topology", f"exchange {name}", said, topology.DECLARE))
    return found


async def _complaint_of_exchange(opened: broker.Connection, settings: BrokerSettings, name: str) -> str:
    try:
        with broker.translate_errors(settings):
            async with opened.channel() as channel:
                await channel.declare_exchange(name, "fanout", durable=True, passive=True)
                await channel.declare_exchange(name, "fanout", durable=True)
    except WindmillError as error:
        return _if_of_the_queue(error)
    return ""


def _if_of_the_queue(error: WindmillError) -> str:
    """The broker's own words; anything else than a refusal of this queue is raised again."""
    if any(word in error.message for word in ("NOT_FOUND", "PRECONDITION_FAILED", "RESOURCE_LOCKED", "ACCESS_REFUSED")):
        return error.message
    raise error


def _is_missing(complaint: str) -> bool:
    return "NOT_FOUND" in complaint
