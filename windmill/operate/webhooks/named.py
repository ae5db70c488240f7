"""The webhook that a job names: the one of its principal to an address, which is made if there is none."""

import uuid
from collections.abc import Sequence
from dataclasses import dataclass

from windmill.core.errors import WindmillError
from windmill.operate.webhooks.endpoints import (
    ENDS,
    MadeWebhook,
    Webhook,
    WebhookAccess,
    WebhookKind,
    create_webhook,
    show_webhook,
)
from windmill.storage.audit_log import Actor
from windmill.storage.queries import queries
from windmill.storage.transactions import single_statement


@dataclass(frozen=True)
class NamedWebhook:
    """`secret` is told when it is made, and never again."""

    webhook_id: uuid.UUID
    secret: str | None = None


async def name_webhook(
    access: WebhookAccess, actor: Actor, url: str, events: Sequence[WebhookKind] | None
) -> NamedWebhook:
    """Raises CONFLICT for one that is disabled, or that is told of other events."""
    found = await _find(access, actor.principal, url) or await _make(access, actor, url, events or ENDS)
    if isinstance(found, MadeWebhook):
        return NamedWebhook(found.webhook.webhook_id, found.secret)
    if found.disabled_at is not None:
        said = f"the webhook to this address is disabled: {found.disabled_reason}"
        raise WindmillError("CONFLICT", said, f"enable it: PATCH /webhooks/{found.webhook_id}")
    if events is not None and set(events) != set(found.events):
        said = f"the webhook to this address is told of {', '.join(found.events)}"
        raise WindmillError("CONFLICT", said, f"leave events out, or change it: PATCH /webhooks/{found.webhook_id}")
    return NamedWebhook(found.webhook_id)


async def _make(access: WebhookAccess, actor: Actor, url: str, events: Sequence[WebhookKind]) -> MadeWebhook | Webhook:
    try:
        return await create_webhook(access, actor, url, events, named_only=True)
    except WindmillError:
        if (found := await _find(access, actor.principal, url)) is not None:
            return found  # another request has made it meanwhile
        raise


async def _find(access: WebhookAccess, principal: str, url: str) -> Webhook | None:
    async with single_statement(access.pool, access.settings) as rows:
        webhook_id = await rows.fetchval(queries()["find_webhook_to"], principal, url)
    return await show_webhook(access, webhook_id, principal) if webhook_id else None
