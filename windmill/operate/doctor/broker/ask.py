"""Testing the broker: logging in, opening a second connection, and reading its state from the management API."""

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import UTC, datetime
from functools import partial
from typing import Any

from windmill import broker
from windmill.broker.management import ask, collects_statistics, quoted_vhost
from windmill.core.errors import WindmillError
from windmill.core.setting_parts import BrokerSettings
from windmill.kernels.net.server_addresses import render_addresses
from windmill.operate.doctor import hosts, versions
from windmill.operate.doctor.broker import judge as judge_broker
from windmill.operate.doctor.findings import DoctorFinding, collect, ok, problem, skipped, warning
from windmill.operate.doctor.threads import in_thread

OLDEST, NEWEST_MAJOR = (3, 10), 4
_ENCRYPT = "set QUEUE_TLS=true and QUEUE_PORT=5671, and QUEUE_TLS_CA where the system does not know the authority"


async def examine(settings: BrokerSettings, seconds: float) -> list[DoctorFinding]:
    """AMQP and the management API at once, because either may work without the other."""
    amqp = collect("broker", "connect", seconds, _ask_amqp(settings))
    reached, managed = await asyncio.gather(amqp, _ask_management(settings, seconds))
    if reached[0].state == "problem":
        reached.append(skipped("broker", "version, two connections", "there is no connection"))
    encryption = hosts.judge_encryption("broker", settings.queue_host, _ENCRYPT, tls=settings.queue_tls)
    return [*reached, encryption, *managed]


async def _ask_amqp(settings: BrokerSettings) -> list[DoctorFinding]:
    async with broker.connection(settings, "windmill doctor") as opened:
        version = await _version(opened, settings)
        where = f"{render_addresses(settings.queue_servers())}, virtual host {settings.queue_vhost}"
        return [
            ok("broker", "connect", f"{settings.queue_user} at {where}"),
            versions.judge_version("broker", "RabbitMQ", version, OLDEST, NEWEST_MAJOR),
            await _second_connection(settings),
        ]


async def _version(opened: broker.Connection, settings: BrokerSettings) -> str:
    with broker.translate_errors(settings):
        async with opened.channel() as channel:
            underlay = await channel.get_underlay_channel()
            properties: Mapping[str, Any] = getattr(underlay.connection, "server_properties", {})
    version = properties.get("version", "of unknown version")
    return version.decode() if isinstance(version, bytes) else str(version)


async def _second_connection(settings: BrokerSettings) -> DoctorFinding:
    """A worker consumes over one connection and publishes over another."""
    try:
        async with broker.connection(settings, "windmill doctor, second connection"):
            return ok("broker", "two connections", "allowed")
    except WindmillError as error:
        remedy = "raise max-connections: rabbitmqctl set_user_limits and set_vhost_limits"
        return problem("broker", "two connections", f"the second one failed: {error.message}", remedy)


async def _ask_management(settings: BrokerSettings, seconds: float) -> list[DoctorFinding]:
    began = datetime.now(UTC)
    try:
        who = await in_thread(partial(ask, settings, "whoami", seconds))
    except WindmillError as error:
        # A warning only: workers do without the API, which sets policies and shows alarms.
        unseen = [skipped("broker", name, "the management API does not answer") for name in ("alarms", "nodes")]
        return [warning("broker", "management", error.message, error.remedy), *unseen]
    middle = began + (datetime.now(UTC) - began) / 2
    asking = [
        _judged(settings, "alarms", "health/checks/alarms", judge_broker.alarms, seconds),
        _judged(settings, "nodes", "nodes", judge_broker.nodes, seconds),
        _unroutable(settings, seconds),
    ]
    rest = [finding for part in await asyncio.gather(*asking) for finding in part]
    return [judge_broker.management(who.document), *judge_broker.skew(who.date, middle), *rest]


async def _unroutable(settings: BrokerSettings, seconds: float) -> list[DoctorFinding]:
    """The dropped messages of this virtual host, if the broker counts them."""
    name, path = "unroutable", f"vhosts/{quoted_vhost(settings)}"

    def counted(overview: Any) -> list[DoctorFinding]:  # noqa: ANN401 - any JSON
        return [] if collects_statistics(overview) else [judge_broker.unroutable_uncounted()]

    return await _judged(settings, name, "overview", counted, seconds) or await _judged(
        settings, name, path, judge_broker.unroutable, seconds
    )


async def _judged(
    settings: BrokerSettings, name: str, path: str, judge: Callable[[Any], list[DoctorFinding]], seconds: float
) -> list[DoctorFinding]:
    try:
        reply = await in_thread(partial(ask, settings, path, seconds))
    except WindmillError as error:
        unseen = skipped("broker", name, error.message)
        return [replace(unseen, remedy=f"rabbitmqctl set_user_tags {settings.queue_user} policymaker monitoring")]
    return judge(reply.document)
