"""What was sent to a webhook, what waits for it, and sending it again."""

import uuid
from collections.abc import Sequence
from dataclasses import dataclass, fields
from datetime import UTC, datetime
from typing import Any

import orjson

from windmill.operate.webhooks.endpoints import WebhookAccess, show_webhook
from windmill.operate.webhooks.schedule import DeliveryStatus
from windmill.storage.audit_log import Actor, write_audit
from windmill.storage.queries import queries
from windmill.storage.transactions import transaction

NEWEST = 2**63 - 1
TEST = "webhook.test"


@dataclass(frozen=True)
class Delivery:
    """A message to a webhook, and what became of it so far."""

    delivery_id: uuid.UUID
    number: int
    kind: str
    status: DeliveryStatus
    tries: int
    http_status: int | None
    error: str | None
    seconds: float | None
    created_at: datetime
    next_at: datetime
    last_try_at: datetime | None
    body: str


@dataclass(frozen=True)
class Replay:
    """Which messages are sent again: those with these ids, or all that were made in a time, in a state."""

    ids: Sequence[uuid.UUID] | None = None
    since: datetime | None = None
    until: datetime | None = None
    status: DeliveryStatus | None = None


async def page_of_deliveries(
    access: WebhookAccess,
    webhook_id: uuid.UUID,
    principal: str | None,
    status: DeliveryStatus | None,
    before: int | None,
    limit: int,
) -> list[Delivery]:
    """The next before the one with this number, the newest first."""
    await show_webhook(access, webhook_id, principal)
    first = NEWEST if before is None else before
    async with transaction(access.pool, access.settings) as rows:
        found = await rows.fetch(queries()["page_of_deliveries"], webhook_id, status, first, limit)
    return [_delivery(row) for row in found]


async def send_test(access: WebhookAccess, actor: Actor, webhook_id: uuid.UUID, principal: str | None) -> Delivery:
    """A message like any other, which goes the same way."""
    await show_webhook(access, webhook_id, principal)
    body = {"type": TEST, "timestamp": datetime.now(UTC).isoformat(), "data": {"webhook": str(webhook_id)}}
    async with transaction(access.pool, access.settings) as rows:
        row = await rows.fetchrow(queries()["insert_delivery"], webhook_id, TEST, orjson.dumps(body).decode())
        await write_audit(rows, actor, "webhooks.test", str(webhook_id), None, None)
    return _delivery(row)


async def replay(
    access: WebhookAccess, actor: Actor, webhook_id: uuid.UUID, principal: str | None, wanted: Replay
) -> int:
    """Send again what was delivered or given up; how many that are."""
    await show_webhook(access, webhook_id, principal)
    ids = None if wanted.ids is None else list(wanted.ids)
    async with transaction(access.pool, access.settings) as rows:
        number = int(
            await rows.fetchval(
                queries()["replay_deliveries"], webhook_id, wanted.since, wanted.until, wanted.status, ids
            )
        )
        await write_audit(rows, actor, "webhooks.replay", str(webhook_id), None, {"deliveries": number})
    return number


def _delivery(row: Any) -> Delivery:  # noqa: ANN401 - the driver's record
    return Delivery(**{one.name: row[one.name] for one in fields(Delivery)})
