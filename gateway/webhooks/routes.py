"""Webhooks: made, changed, tried out, and sent to again."""

import uuid
from dataclasses import asdict
from typing import Annotated

import orjson
from fastapi import Query

from gateway.caller import Caller
from gateway.context import Context, Gateway, Who
from gateway.guard import Operator, noun_router
from gateway.webhooks.shapes import (
    DeliveryAnswer,
    DeliveryList,
    DeliveryQuery,
    DeliveryShape,
    MadeWebhookAnswer,
    NewWebhookBody,
    ReplayBody,
    Replayed,
    SecretRotation,
    WebhookAnswer,
    WebhookList,
    WebhookPatch,
    WebhookShape,
)
from windmill.operate.webhooks.deliveries import Delivery, Replay, page_of_deliveries, replay, send_test
from windmill.operate.webhooks.endpoints import (
    Webhook,
    WebhookAccess,
    WebhookChange,
    change_webhook,
    create_webhook,
    delete_webhook,
    list_webhooks,
    rotate_secret,
    show_webhook,
)
from windmill.operate.webhooks.signing import message_id

router = noun_router("webhooks")


def _access(gateway: Gateway) -> WebhookAccess:
    return WebhookAccess(gateway.access.pool, gateway.settings)


def _shape(webhook: Webhook) -> WebhookShape:
    values = asdict(webhook)
    return WebhookShape(id=values.pop("webhook_id"), **values)


def _delivery(one: Delivery) -> DeliveryShape:
    values = asdict(one)
    del values["number"]
    return DeliveryShape(
        id=message_id(one.delivery_id),
        delivery=values.pop("delivery_id"),
        type=values.pop("kind"),
        body=orjson.loads(values.pop("body")),
        next_at=values.pop("next_at") if one.status == "pending" else None,
        **{name: value for name, value in values.items() if name != "next_at"},
    )


def _may_see_all(caller: Caller, wanted: bool) -> None:
    if wanted:
        caller.must_be("admin")


@router.get("/webhooks")
async def list_all(gateway: Context, caller: Operator) -> WebhookList:
    """Your webhooks, without their secrets."""
    found = [_shape(one) for one in await list_webhooks(_access(gateway), caller.sees)]
    return WebhookList(webhooks=found, count=len(found))


@router.post("/webhooks", status_code=201)
async def make_webhook(gateway: Context, caller: Operator, who: Who, body: NewWebhookBody) -> MadeWebhookAnswer:
    """Be told of events of jobs, by signed messages as https://www.standardwebhooks.com has them."""
    _may_see_all(caller, body.all_principals)
    made = await create_webhook(
        _access(gateway),
        who,
        body.url,
        body.events,
        body.description,
        all_principals=body.all_principals,
        named_only=body.named_only,
    )
    return MadeWebhookAnswer(webhook=_shape(made.webhook), secret=made.secret)


@router.get("/webhooks/{webhook_id}")
async def show(gateway: Context, caller: Operator, webhook_id: uuid.UUID) -> WebhookAnswer:
    """A webhook, with how it fares."""
    return WebhookAnswer(webhook=_shape(await show_webhook(_access(gateway), webhook_id, caller.sees)))


@router.patch("/webhooks/{webhook_id}")
async def change(
    gateway: Context, caller: Operator, who: Who, webhook_id: uuid.UUID, body: WebhookPatch
) -> WebhookAnswer:
    """Send elsewhere or other events; stop, or go on."""
    wanted = WebhookChange(body.url, body.events, body.description, body.enabled)
    return WebhookAnswer(webhook=_shape(await change_webhook(_access(gateway), who, webhook_id, caller.sees, wanted)))


@router.delete("/webhooks/{webhook_id}", status_code=204)
async def delete(gateway: Context, caller: Operator, who: Who, webhook_id: uuid.UUID) -> None:
    """Send nothing more, also not what waits."""
    await delete_webhook(_access(gateway), who, webhook_id, caller.sees)


@router.post("/webhooks/{webhook_id}/rotate")
async def rotate(
    gateway: Context, caller: Operator, who: Who, webhook_id: uuid.UUID, body: SecretRotation | None = None
) -> MadeWebhookAnswer:
    """Sign with a new secret, and for a while with the one before as well."""
    grace = (body or SecretRotation()).grace_seconds
    made = await rotate_secret(_access(gateway), who, webhook_id, caller.sees, grace)
    return MadeWebhookAnswer(webhook=_shape(made.webhook), secret=made.secret)


@router.post("/webhooks/{webhook_id}/test", status_code=202)
async def try_out(gateway: Context, caller: Operator, who: Who, webhook_id: uuid.UUID) -> DeliveryAnswer:
    """Send a message of the type webhook.test, by the same way as all others."""
    sent = await send_test(_access(gateway), who, webhook_id, caller.sees)
    gateway.work.sender.hurry()
    return DeliveryAnswer(delivery=_delivery(sent))


@router.get("/webhooks/{webhook_id}/deliveries")
async def list_deliveries(
    gateway: Context, caller: Operator, webhook_id: uuid.UUID, query: Annotated[DeliveryQuery, Query()]
) -> DeliveryList:
    """What was sent and what waits, the newest first; what has ended is kept for 30 days."""
    wanted = {"list": "deliveries", "webhook": webhook_id, "status": query.status}
    before = gateway.cursors.open(wanted, query.cursor)
    page = await page_of_deliveries(_access(gateway), webhook_id, caller.sees, query.status, before, query.limit)
    last = page[-1].number if len(page) == query.limit else None
    shapes = [_delivery(one) for one in page]
    return DeliveryList(deliveries=shapes, count=len(shapes), next_cursor=gateway.cursors.seal_next(wanted, last))


@router.post("/webhooks/{webhook_id}/replay", status_code=202)
async def send_again(gateway: Context, caller: Operator, who: Who, webhook_id: uuid.UUID, body: ReplayBody) -> Replayed:
    """Send again what was delivered or given up, under the same ids."""
    wanted = Replay(body.deliveries, body.since, body.until, body.status)
    number = await replay(_access(gateway), who, webhook_id, caller.sees, wanted)
    gateway.work.sender.hurry()
    return Replayed(replayed=number)
