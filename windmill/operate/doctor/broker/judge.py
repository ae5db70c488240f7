"""Findings from the broker's management API. Pure."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any

from windmill.operate.doctor import hosts
from windmill.operate.doctor.findings import DoctorFinding, ok, problem, warning
from windmill.operate.render import render_bytes

_DATE_SECONDS = 2.0
"""A Date header has whole seconds, and the server may cache it for another second."""
_MAY_SET_POLICIES = {"policymaker", "administrator"}


def management(who: Mapping[str, Any]) -> DoctorFinding:
    """Whether the account may set policies."""
    tags = who.get("tags") or []
    named = set(tags.split(",") if isinstance(tags, str) else tags)
    said = f"{who.get('name')} has the tags {', '.join(sorted(named)) or 'none'}"
    if named & _MAY_SET_POLICIES:
        return ok("broker", "management", said)
    remedy = f"rabbitmqctl set_user_tags {who.get('name')} policymaker monitoring"
    return warning("broker", "management", f"{said}, so python -m windmill declare cannot set policies", remedy)


def skew(date: str, now: datetime) -> list[DoctorFinding]:
    """The broker's clock, from the Date header of a reply."""
    try:
        dated = parsedate_to_datetime(date)
    except ValueError:
        return []
    there = dated if dated.tzinfo else dated.replace(tzinfo=UTC)
    return [hosts.judge_clock("broker", (there - now).total_seconds(), exact=_DATE_SECONDS)]


def alarms(check: Mapping[str, Any]) -> list[DoctorFinding]:
    """While an alarm is on, the broker accepts no messages."""
    if check.get("status") == "ok":
        return [ok("broker", "alarms", "none")]
    named = [f"{one.get('resource')} on {one.get('node')}" for one in check.get("alarms") or []]
    said = f"the broker takes no messages: {', '.join(named) or check.get('reason') or 'it does not say why'}"
    return [problem("broker", "alarms", said, "free disk or memory of that node, or raise its limits")]


def nodes(listed: Sequence[Mapping[str, Any]]) -> list[DoctorFinding]:
    return [finding for node in listed for finding in _node(node)]


def _node(node: Mapping[str, Any]) -> list[DoctorFinding]:
    name = f"node {node.get('name')}"
    if not node.get("running", True):
        return [problem("broker", name, "does not run", "start it")]
    if node.get("partitions"):
        others = ", ".join(map(str, node["partitions"]))
        return [problem("broker", name, f"is cut off from {others}", "mend the network, then restart the smaller part")]
    return _room(node, name)


def _room(node: Mapping[str, Any], name: str) -> list[DoctorFinding]:
    """How far disk and memory are from their alarms. A node that has just started has no figures yet, and one that
    collects no statistics never has."""
    disk, floor = node.get("disk_free"), node.get("disk_free_limit", 0)
    used, ceiling = node.get("mem_used"), node.get("mem_limit", 0)
    if not isinstance(disk, int) or not isinstance(used, int):
        return [ok("broker", name, "runs; it does not report its disk and memory")]
    room = f"{render_bytes(disk)} of disk free (alarm at {render_bytes(floor)})"
    memory = f"{render_bytes(used)} of memory used (alarm at {render_bytes(ceiling)})"
    if disk < 2 * floor or used > 0.8 * ceiling:
        remedy = "free disk or memory, before it takes no more messages"
        return [warning("broker", name, f"near an alarm: {room}, {memory}", remedy)]
    return [ok("broker", name, f"{room}, {memory}")]


def unroutable(host: Mapping[str, Any]) -> list[DoctorFinding]:
    """Messages that the broker dropped because no queue took them. Only publishing with `mandatory` shows it."""
    lost = (host.get("message_stats") or {}).get("drop_unroutable", 0)
    if not lost:
        return [ok("broker", "unroutable", "no message was dropped for want of a queue")]
    said = f"{lost:,} messages were dropped for want of a queue since the broker started"
    remedy = "declare the queues before producers of other making publish, and let them publish with `mandatory`"
    return [warning("broker", "unroutable", said, remedy)]


def unroutable_uncounted() -> DoctorFinding:
    """The broker's management plugin collects no statistics."""
    said = "not counted by this broker's API; its metrics do: rabbitmq_global_messages_unroutable_dropped_total"
    return ok("broker", "unroutable", said)
