"""Findings about policies: which one applies to a queue, and how it differs from Windmill's. Pure."""

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from windmill.operate.doctor.findings import DoctorFinding, ok, problem, warning
from windmill.operate.doctor.topology.differences import argument_diff

Policy = Mapping[str, Any]
_LOSES = ("message-ttl", "expires", "max-length", "max-length-bytes")
"""Keys of a policy that make the broker drop jobs, or dead-letter them."""


def effective_policy(policies: Iterable[Policy], queue: str, kind: str) -> Policy | None:
    """The policy that the broker applies to a queue of this type: the one with the highest priority."""
    fit = [policy for policy in policies if _fits(policy, queue, kind)]
    # The broker takes either of two with the same priority, so report the one that is not ours.
    return max(fit, key=lambda policy: (policy.get("priority", 0), policy.get("name") != queue), default=None)


def _fits(policy: Policy, queue: str, kind: str) -> bool:
    if policy.get("apply-to", "all") not in ("all", "queues", f"{kind}_queues"):
        return False
    try:
        return re.search(policy.get("pattern", ""), queue) is not None
    except re.error:
        return False  # not a pattern in Python's dialect


def judge_policies(
    wanted: Mapping[str, Mapping[str, object]], policies: Sequence[Policy], kinds: Mapping[str, str], declare: str
) -> list[DoctorFinding]:
    """`wanted` are the definitions by queue, `kinds` the types of existing queues."""
    present = {queue: definition for queue, definition in wanted.items() if queue in kinds}
    found = [
        finding
        for queue, definition in present.items()
        for finding in _one(queue, definition, effective_policy(policies, queue, kinds[queue]), declare)
    ]
    if present and not found:
        return [ok("topology", "policies", f"all {len(present)} are as they should be")]
    return found


def _one(queue: str, definition: Mapping[str, object], rules: Policy | None, declare: str) -> list[DoctorFinding]:
    name = f"policy {queue}"
    if rules is None:
        said = (
            f"missing, so RabbitMQ's own limits hold, by which jobs are lost or circle: {argument_diff({}, definition)}"
        )
        return [problem("topology", name, said, declare)]
    changes = argument_diff(rules.get("definition") or {}, definition)
    if not changes:
        return []
    if rules.get("name") == queue:
        return [problem("topology", name, f"differs: {changes}", declare)]
    said = f"overridden by policy {rules.get('name')} of priority {rules.get('priority')}: {changes}"
    remedy = f"clear it, or let it leave out {queue}, then {declare}"
    return [problem("topology", name, said, remedy)]


def judge_lossy_policies(queues: Mapping[str, str], policies: Sequence[Policy]) -> list[DoctorFinding]:
    """Policies that make queues lose jobs; `queues` gives the type of each."""
    found = []
    for queue, kind in queues.items():
        rules = effective_policy(policies, queue, kind)
        keys = [key for key in _LOSES if rules and key in (rules.get("definition") or {})]
        if rules and keys:
            said = f"policy {rules.get('name')} sets {', '.join(keys)}: jobs in it will be lost"
            found.append(warning("topology", queue, said, "let the policy's pattern leave out Windmill's queues"))
    return found
