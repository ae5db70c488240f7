"""Testing queues over AMQP alone: whether each exists, with the right arguments."""

from collections.abc import Sequence

from windmill import broker
from windmill.core.errors import WindmillError
from windmill.core.services import Service
from windmill.core.setting_parts import BrokerSettings
from windmill.operate.doctor.findings import DoctorFinding, ok, problem, skipped, warning
from windmill.operate.doctor.topology import judge
from windmill.operate.doctor.topology.differences import refusal_diff

_UNSEEN = "policies, bindings, left-over queues and jobs without workers cannot be seen"


async def examine(settings: BrokerSettings, services: Sequence[Service], unseen: WindmillError) -> list[DoctorFinding]:
    blind = warning("topology", "management", f"{_UNSEEN}: {unseen.message}", unseen.remedy)
    try:
        async with broker.connection(settings, "windmill doctor, queues") as opened:
            return [*await _queues(opened, settings, services), *await _exchanges(opened, settings), blind]
    except WindmillError as error:
        return [skipped("topology", "queues", error.message)]


async def _queues(
    opened: broker.Connection, settings: BrokerSettings, services: Sequence[Service]
) -> list[DoctorFinding]:
    wanted = judge.wanted_queues(settings, services)
    found = []
    for name, arguments in wanted.items():
        refusal = await _refusal_of_queue(opened, settings, name, arguments)
        if _is_missing(refusal):
            found.append(judge.missing(name))
        elif refusal:
            found.append(judge.other(settings, name, refusal_diff(refusal)))
    return found or [ok("topology", "queues", f"all {len(wanted)} are as they should be ({settings.queue_type})")]


async def _refusal_of_queue(
    opened: broker.Connection, settings: BrokerSettings, name: str, arguments: judge.Arguments
) -> str:
    """The broker's error on declaring this queue; empty if there is none."""
    try:
        with broker.translate_errors(settings):
            async with opened.channel() as channel:
                await channel.declare_queue(name, passive=True)
                # The queue exists, so this creates nothing: the broker compares arguments, and refuses if they differ.
                await channel.declare_queue(name, durable=True, arguments=dict(arguments))  # type: ignore[arg-type]
    except WindmillError as error:
        return _refusal(error)
    return ""


async def _exchanges(opened: broker.Connection, settings: BrokerSettings) -> list[DoctorFinding]:
    found = []
    for delay in broker.retry_tiers(settings):
        name = broker.retry_exchange(settings, delay)
        refusal = await _refusal_of_exchange(opened, settings, name)
        if refusal:
            said = f"missing: +exchange {name}" if _is_missing(refusal) else f"differs: {refusal_diff(refusal)}"
            found.append(problem("topology", f"exchange {name}", said, judge.DECLARE))
    return found


async def _refusal_of_exchange(opened: broker.Connection, settings: BrokerSettings, name: str) -> str:
    try:
        with broker.translate_errors(settings):
            async with opened.channel() as channel:
                await channel.declare_exchange(name, "fanout", durable=True, passive=True)
                await channel.declare_exchange(name, "fanout", durable=True)
    except WindmillError as error:
        return _refusal(error)
    return ""


def _refusal(error: WindmillError) -> str:
    """The broker's message if it refused this queue; any other error is raised again."""
    if any(word in error.message for word in ("NOT_FOUND", "PRECONDITION_FAILED", "RESOURCE_LOCKED", "ACCESS_REFUSED")):
        return error.message
    raise error


def _is_missing(refusal: str) -> bool:
    return "NOT_FOUND" in refusal
