"""What the pages of webhooks show. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass

import orjson

from gateway.pages.badges import Badge, badge
from windmill.operate.webhooks.deliveries import Delivery
from windmill.operate.webhooks.endpoints import ENDS, KINDS, MadeWebhook, Webhook
from windmill.operate.webhooks.signing import message_id

_WORDS = {"pending": "waiting", "delivered": "delivered", "failed": "failed"}


@dataclass(frozen=True)
class WebhookLine:
    webhook: Webhook
    state: Badge


@dataclass(frozen=True)
class WebhooksView:
    webhooks: Sequence[WebhookLine]
    made: MadeWebhook | None = None
    kinds: Sequence[str] = KINDS
    ends: Sequence[str] = ENDS


@dataclass(frozen=True)
class DeliveryLine:
    """A message; `body` is laid out to be read."""

    delivery: Delivery
    message: str
    state: Badge
    body: str


@dataclass(frozen=True)
class DeliveriesView:
    line: WebhookLine
    deliveries: Sequence[DeliveryLine]
    status: str
    older: str
    first: str
    made: MadeWebhook | None = None


def webhook_line(webhook: Webhook) -> WebhookLine:
    if webhook.disabled_at:
        return WebhookLine(webhook, badge("disabled"))
    return WebhookLine(webhook, badge("trying", "failing") if webhook.failing_since else badge("active"))


def delivery_line(one: Delivery) -> DeliveryLine:
    shown = badge(one.status, _WORDS.get(one.status, ""))
    body = orjson.dumps(orjson.loads(one.body), option=orjson.OPT_INDENT_2).decode()
    return DeliveryLine(one, message_id(one.delivery_id), shown, body)
