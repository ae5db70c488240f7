"""Findings from the topology of the broker, compared with the wanted one. Pure."""

import shlex
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from windmill.broker import (
    QueueCount,
    failed_queue,
    retry_exchange,
    retry_tiers,
    tier_arguments,
    tier_prefix,
    urgent_queue,
    work_queue,
)
from windmill.broker.management import policies
from windmill.core.services import Service
from windmill.core.setting_parts import BrokerSettings
from windmill.operate.doctor.findings import DoctorFinding, ok, problem, warning
from windmill.operate.doctor.topology.differences import argument_diff
from windmill.operate.doctor.topology.judge_policies import judge_lossy_policies, judge_policies

OLD_TIER_PREFIX = "windmill.retry."
"""Up to Windmill 0.1 all fleets of a virtual host shared their retry tiers, which were called so."""
DECLARE = "python -m windmill declare"
Arguments = Mapping[str, object]

_NO_CONSUMER = "start a worker for it; if one runs, python -m windmill status tells whether it waits for its service"


@dataclass(frozen=True)
class DeclaredQueue:
    """A queue as the broker has it; its type is one of the arguments."""

    arguments: Arguments
    messages: int = 0


@dataclass(frozen=True)
class Topology:
    """Everything that is declared in the virtual host."""

    queues: Mapping[str, DeclaredQueue]
    exchanges: Mapping[str, str]
    bindings: frozenset[tuple[str, str]]
    policies: Sequence[Mapping[str, Any]]
    version: str


def wanted_queues(settings: BrokerSettings, services: Iterable[Service]) -> dict[str, Arguments]:
    """Every queue that these services need, with its arguments."""
    plain = {"x-queue-type": settings.queue_type}
    own = {queue(settings, one.name): plain for one in services for queue in (work_queue, urgent_queue, failed_queue)}
    return own | {retry_exchange(settings, delay): tier_arguments(settings, delay) for delay in retry_tiers(settings)}


def judge_topology(
    settings: BrokerSettings,
    chosen: Sequence[Service],
    every: Iterable[Service],
    seen: Topology,
    steps: Sequence[str] = (),
) -> list[DoctorFinding]:
    """All findings. `every` service keeps its queues from being called left over, also if it is not selected; so do
    the `steps` of jobs, whose queues are declared by their workers."""
    wanted = wanted_queues(settings, chosen)
    named = {*wanted_queues(settings, every), *(work_queue(settings, step) for step in steps)}
    return [
        *queues(settings, wanted, seen.queues),
        *step_queues(settings, steps, seen.queues),
        *tier_routes([retry_exchange(settings, delay) for delay in retry_tiers(settings)], seen),
        *_limits(settings, chosen, wanted, seen),
        *left_over(settings, named, seen.queues),
    ]


def queues(
    settings: BrokerSettings, wanted: Mapping[str, Arguments], there: Mapping[str, DeclaredQueue]
) -> list[DoctorFinding]:
    """Queues that are missing or have other arguments."""
    found = []
    for name, arguments in wanted.items():
        if name not in there:
            found.append(missing(name))
        elif changes := argument_diff(there[name].arguments, arguments):
            found.append(other(settings, name, changes))
    return found or [ok("topology", "queues", f"all {len(wanted)} are as they should be ({settings.queue_type})")]


def step_queues(
    settings: BrokerSettings, steps: Sequence[str], there: Mapping[str, DeclaredQueue]
) -> list[DoctorFinding]:
    """Queues of steps that have other arguments. One that is missing is declared by whoever publishes to it."""
    names = [name for name in (work_queue(settings, step) for step in steps) if name in there]
    wanted: Arguments = {"x-queue-type": settings.queue_type}
    differing = [
        _other_step_queue(settings, name, changes)
        for name in names
        if (changes := argument_diff(there[name].arguments, wanted))
    ]
    return differing or ([ok("topology", "step queues", f"all {len(names)} are as they should be")] if names else [])


def _other_step_queue(settings: BrokerSettings, queue: str, changes: str) -> DoctorFinding:
    """Its messages only say that there is work, and come back by themselves."""
    remedy = f"rabbitmqctl -p {shlex.quote(settings.queue_vhost)} delete_queue {shlex.quote(queue)}; no work is lost"
    return problem("topology", queue, f"differs: {changes}", f"set QUEUE_TYPE to the type it has, or: {remedy}")


def missing(queue: str) -> DoctorFinding:
    return problem("topology", queue, f"missing: +queue {queue}", DECLARE)


def other(settings: BrokerSettings, queue: str, changes: str) -> DoctorFinding:
    """The arguments of a queue cannot change, so it has to be deleted."""
    delete = f"rabbitmqctl -p {shlex.quote(settings.queue_vhost)} delete_queue {shlex.quote(queue)} --if-empty"
    remedy = f"{_emptied(settings, queue)}; then {delete} and {DECLARE}"
    instead = "set QUEUE_TYPE to the type it has, or: " if "x-queue-type" in changes else ""
    return problem("topology", queue, f"differs: {changes}", instead + remedy)


def _emptied(settings: BrokerSettings, queue: str) -> str:
    if queue.startswith(tier_prefix(settings)):
        return "stop the workers and wait until it has emptied itself"
    if queue.endswith(".failed"):
        return "empty it: python -m windmill failed redrive, or purge"
    return "stop the producers and let the workers empty it"


def tier_routes(names: Iterable[str], seen: Topology) -> list[DoctorFinding]:
    """Each retry tier is a fanout exchange bound to the queue of the same name."""
    found = []
    for name in names:
        if name not in seen.exchanges:
            said = f"the exchange is missing: +exchange {name}; workers cannot put jobs off"
            found.append(problem("topology", f"exchange {name}", said, DECLARE))
        elif (kind := seen.exchanges[name]) != "fanout":
            remedy = f"delete the exchange in the management page, then {DECLARE}"
            found.append(problem("topology", f"exchange {name}", f"differs: -type={kind} +type=fanout", remedy))
        elif (name, name) not in seen.bindings:
            said = f"not bound to its queue: +binding {name}; jobs that are put off find no queue"
            found.append(problem("topology", f"binding {name}", said, DECLARE))
    return found or [ok("topology", "retry tiers", "each exchange leads to its queue")]


def _limits(
    settings: BrokerSettings, chosen: Sequence[Service], wanted: Mapping[str, Arguments], seen: Topology
) -> list[DoctorFinding]:
    kinds = {name: str(queue.arguments.get("x-queue-type", "classic")) for name, queue in seen.queues.items()}
    # Classic queues do not count deliveries, so they have no limit.
    services = [service.name for service in chosen if settings.queue_type == "quorum"]
    definitions = policies(settings, services, seen.version)
    others = {name: kind for name, kind in kinds.items() if name in wanted and name not in definitions}
    return [*judge_policies(definitions, seen.policies, kinds, DECLARE), *judge_lossy_policies(others, seen.policies)]


def left_over(
    settings: BrokerSettings, named: Iterable[str], there: Mapping[str, DeclaredQueue]
) -> list[DoctorFinding]:
    """Windmill's queues that no setting names any more: nothing consumes their jobs."""
    strays = {
        name: queue
        for name, queue in there.items()
        if name.startswith((settings.queue_prefix, OLD_TIER_PREFIX)) and name not in set(named)
    }
    return [_stray(name, queue) for name, queue in sorted(strays.items())]


def _stray(name: str, queue: DeclaredQueue) -> DoctorFinding:
    if name.startswith(OLD_TIER_PREFIX):
        said = f"a retry tier of an older Windmill; it holds {queue.messages:,} messages"
        return warning("topology", name, said, _OLD_TIER)
    said = f"named by no setting of this machine; it holds {queue.messages:,} messages"
    return warning("topology", name, said, _STRAY)


_OLD_TIER = (
    "once every fleet of this virtual host is updated, wait until it has emptied itself, which takes no worker; then "
    "delete the queue and the exchange of this name"
)
_STRAY = "name it again (SERVICE_CONFIG, RETRY_DELAYS) if it is of use to any machine; else delete it once it is empty"


def waiting(counted: Mapping[str, QueueCount | None]) -> list[DoctorFinding]:
    """Queues that hold jobs and have no consumer."""
    return [
        warning("topology", name, f"{count.ready:,} waiting, and nobody consumes", _NO_CONSUMER)
        for name, count in counted.items()
        if count and count.ready and not count.consumers
    ]
