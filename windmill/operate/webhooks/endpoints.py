"""Webhooks as people make, change and look at them, each change with a row in the audit log. `principal` is whose they
see, None for those of everybody; those of others are not found."""

import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal, get_args

from windmill.core.errors import WindmillError
from windmill.core.setting_parts import WebhookSettings
from windmill.operate.webhooks.poster import must_be_fit
from windmill.operate.webhooks.signing import new_secret, secret_text
from windmill.storage.audit_log import Actor, write_audit
from windmill.storage.database import Connection, Pool
from windmill.storage.queries import queries
from windmill.storage.transactions import transaction

WebhookKind = Literal[
    "job.queued",
    "job.started",
    "job.progress",
    "job.warning",
    "job.paused",
    "job.resumed",
    "job.rerun",
    "job.succeeded",
    "job.failed",
    "job.cancelled",
    "job.expired",
    "run.succeeded",
    "run.cancelled",
    "batch.completed",
    "batch.cancelled",
]
ENDS: tuple[WebhookKind, ...] = ("job.succeeded", "job.failed", "job.cancelled", "job.expired")
KINDS: tuple[WebhookKind, ...] = get_args(WebhookKind)
BY_HAND = "by hand"
MOST_WEBHOOKS = 100
"""Of a principal: each costs something at every event."""


@dataclass(frozen=True)
class Webhook:
    """A receiver, without its secret."""

    webhook_id: uuid.UUID
    principal: str
    all_principals: bool
    url: str
    events: tuple[str, ...]
    description: str
    named_only: bool
    created_at: datetime
    last_success_at: datetime | None
    failing_since: datetime | None
    disabled_at: datetime | None
    disabled_reason: str | None


@dataclass(frozen=True)
class MadeWebhook:
    """A receiver with its secret, which is told now and never again."""

    webhook: Webhook
    secret: str


@dataclass(frozen=True)
class WebhookChange:
    """What is to be different; None stays."""

    url: str | None = None
    events: Sequence[WebhookKind] | None = None
    description: str | None = None
    enabled: bool | None = None


@dataclass(frozen=True)
class WebhookAccess:
    """The database, and which receivers are allowed."""

    pool: Pool
    settings: WebhookSettings


async def create_webhook(
    access: WebhookAccess,
    actor: Actor,
    url: str,
    events: Sequence[WebhookKind],
    description: str = "",
    *,
    all_principals: bool = False,
    named_only: bool = False,
) -> MadeWebhook:
    """With `named_only` it is told of no jobs but those that name it. Raises USAGE for a URL that cannot be, and
    CONFLICT where there are too many, or one that only jobs name leads there already."""
    must_be_fit(url, frozenset(access.settings.webhook_url_allow))
    secret = new_secret()
    async with transaction(access.pool, access.settings) as rows:
        if len(await rows.fetch(queries()["list_webhooks"], actor.principal)) >= MOST_WEBHOOKS:
            raise WindmillError("CONFLICT", f"you have {MOST_WEBHOOKS} webhooks", "delete one")
        made = await rows.fetchval(
            queries()["insert_webhook"],
            *(actor.principal, all_principals, url, _kinds(events), description, secret, named_only),
        )
        if made is None:
            raise WindmillError("CONFLICT", "a webhook to this address is there already, for the jobs that name it")
        webhook = await _found(rows, made, None)
        await write_audit(rows, actor, "webhooks.create", str(made), None, audited(webhook))
    return MadeWebhook(webhook, secret_text(secret))


async def list_webhooks(access: WebhookAccess, principal: str | None) -> list[Webhook]:
    async with transaction(access.pool, access.settings) as rows:
        return [_webhook(row) for row in await rows.fetch(queries()["list_webhooks"], principal)]


async def show_webhook(access: WebhookAccess, webhook_id: uuid.UUID, principal: str | None) -> Webhook:
    async with transaction(access.pool, access.settings) as rows:
        return await _found(rows, webhook_id, principal)


async def change_webhook(
    access: WebhookAccess, actor: Actor, webhook_id: uuid.UUID, principal: str | None, change: WebhookChange
) -> Webhook:
    """One that is enabled again goes on with what waits."""
    if change.url is not None:
        must_be_fit(change.url, frozenset(access.settings.webhook_url_allow))
    kinds = None if change.events is None else _kinds(change.events)
    async with transaction(access.pool, access.settings) as rows:
        before = await _found(rows, webhook_id, principal, lock=True)
        await rows.execute(
            queries()["change_webhook"], webhook_id, change.url, kinds, change.description, change.enabled, BY_HAND
        )
        after = await _found(rows, webhook_id, principal)
        await write_audit(rows, actor, "webhooks.change", str(webhook_id), audited(before), audited(after))
    return after


async def rotate_secret(
    access: WebhookAccess, actor: Actor, webhook_id: uuid.UUID, principal: str | None, grace_seconds: float
) -> MadeWebhook:
    """Sign with a new secret; for a while also with the one before."""
    secret = new_secret()
    async with transaction(access.pool, access.settings) as rows:
        webhook = await _found(rows, webhook_id, principal, lock=True)
        await rows.execute(queries()["rotate_webhook"], webhook_id, secret, grace_seconds)
        await write_audit(rows, actor, "webhooks.rotate", str(webhook_id), None, {"grace_seconds": grace_seconds})
    return MadeWebhook(webhook, secret_text(secret))


async def delete_webhook(access: WebhookAccess, actor: Actor, webhook_id: uuid.UUID, principal: str | None) -> None:
    """With all that waits for it."""
    async with transaction(access.pool, access.settings) as rows:
        before = await _found(rows, webhook_id, principal, lock=True)
        await rows.execute(queries()["delete_webhook"], webhook_id)
        await write_audit(rows, actor, "webhooks.delete", str(webhook_id), audited(before), None)


def audited(webhook: Webhook) -> dict[str, Any]:
    """What the audit log has of it: the URL may hold a password."""
    return {"events": list(webhook.events), "enabled": webhook.disabled_at is None}


def _kinds(events: Sequence[WebhookKind]) -> list[str]:
    """As the table has them: kinds of the log of a job without a prefix, others whole."""
    return [one.removeprefix("job.") for one in dict.fromkeys(events)]


async def _found(rows: Connection, webhook_id: uuid.UUID, principal: str | None, *, lock: bool = False) -> Webhook:
    statement = queries()["lock_webhook"] if lock else queries()["show_webhook"]
    row = await rows.fetchrow(statement, webhook_id, principal)
    if row is None:
        raise WindmillError("NOT_FOUND", f"there is no webhook {webhook_id}", "list them: GET /webhooks")
    return _webhook(row)


def _webhook(row: Any) -> Webhook:  # noqa: ANN401 - the driver's record
    names = ("webhook_id", "principal", "all_principals", "url", "description", "named_only", "created_at")
    state = ("last_success_at", "failing_since", "disabled_at", "disabled_reason")
    values = {name: row[name] for name in (*names, *state)}
    return Webhook(events=tuple(kind if "." in kind else f"job.{kind}" for kind in row["kinds"]), **values)
