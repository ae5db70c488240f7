"""Sends what waits in the outbox: to each webhook one message at a time, by whichever process has leased it."""

import logging
import random
import time
import uuid
from dataclasses import dataclass
from functools import partial
from typing import Protocol

from windmill.operate.leased_work import LEASE_SECONDS, LeasedWork, LeaseLost
from windmill.operate.webhooks.endpoints import WebhookAccess
from windmill.operate.webhooks.schedule import Answer, Verdict, held_seconds, judge, reason_to_disable
from windmill.operate.webhooks.signing import message_id, signed_headers
from windmill.storage.audit_log import Actor, write_audit
from windmill.storage.database import Connection
from windmill.storage.queries import queries
from windmill.storage.transactions import transaction

logger = logging.getLogger(__name__)

AT_ONCE = 8
KEPT_SECONDS = 30 * 86_400.0
"""Deliveries that have ended are forgotten then."""
FORGET_SECONDS = 3_600.0
OURSELVES = Actor("windmill")


class Post(Protocol):
    """Posts a body to a URL."""

    async def post(self, url: str, headers: dict[str, str], body: str) -> Answer: ...


@dataclass(frozen=True)
class Receiver:
    """A webhook that this process alone sends to, with the secrets that are good now."""

    webhook_id: uuid.UUID
    url: str
    secrets: tuple[bytes, ...]


@dataclass(frozen=True)
class Message:
    """The message that is due."""

    delivery_id: uuid.UUID
    body: str
    tries: int


def webhook_sender(access: WebhookAccess, poster: Post) -> LeasedWork[Receiver]:
    """Sends for ever."""
    return LeasedWork("webhooks", partial(lease_receiver, access), partial(send_all, access, poster), at_once=AT_ONCE)


async def lease_receiver(access: WebhookAccess, token: uuid.UUID) -> Receiver | None:
    """A webhook with something to send. Now and then, what has ended long ago is forgotten."""
    async with transaction(access.pool, access.settings) as rows:
        row = await rows.fetchrow(queries()["lease_webhook"], token, LEASE_SECONDS)
    if row is None:
        await _forget_old(access)
        return None
    return Receiver(row["webhook_id"], row["url"], tuple(one for one in (row["secret"], row["old_secret"]) if one))


async def send_all(access: WebhookAccess, poster: Post, receiver: Receiver, token: uuid.UUID) -> None:
    """All that is due now, the oldest first; the rest waits if the receiver does not answer."""
    while message := await _next(access, receiver, token):
        headers = signed_headers(receiver.secrets, message_id(message.delivery_id), int(time.time()), message.body)
        answer = await poster.post(receiver.url, headers, message.body)
        verdict = judge(answer, message.tries, random.random())
        async with transaction(access.pool, access.settings) as rows:
            if not await _note(rows, receiver, token, message, answer, verdict):
                break
    async with transaction(access.pool, access.settings) as rows:
        await rows.execute(queries()["release_webhook"], receiver.webhook_id, token)


async def _next(access: WebhookAccess, receiver: Receiver, token: uuid.UUID) -> Message | None:
    async with transaction(access.pool, access.settings) as rows:
        if await rows.fetchval(queries()["hold_webhook"], receiver.webhook_id, token, LEASE_SECONDS) is None:
            return None
        row = await rows.fetchrow(queries()["next_delivery"], receiver.webhook_id)
    return Message(**row) if row else None


async def _note(
    rows: Connection, receiver: Receiver, token: uuid.UUID, message: Message, answer: Answer, verdict: Verdict
) -> bool:
    """Write what became of it; whether more may be sent at once."""
    failing = await rows.fetchval(queries()["note_webhook_health"], receiver.webhook_id, token, answer.taken)
    if failing is None:
        raise LeaseLost
    await rows.execute(
        queries()["end_delivery_try"],
        *(message.delivery_id, verdict.status, verdict.delay, answer.status, answer.error, answer.seconds),
    )
    if reason := reason_to_disable(answer, failing):
        await _disable(rows, receiver.webhook_id, reason)
        return False
    held = held_seconds(answer, failing)
    if held is not None:
        await rows.execute(queries()["put_webhook_off"], receiver.webhook_id, held)
    return held is None


async def _disable(rows: Connection, webhook_id: uuid.UUID, reason: str) -> None:
    """Its owner sees it in the list and in the audit log, the operator in the log."""
    principal = await rows.fetchval(queries()["disable_webhook"], webhook_id, reason)
    logger.warning("webhook disabled", extra={"webhook": str(webhook_id), "principal": principal, "reason": reason})
    await write_audit(rows, OURSELVES, "webhooks.disable", str(webhook_id), {"enabled": True}, {"reason": reason})


async def _forget_old(access: WebhookAccess) -> None:
    async with transaction(access.pool, access.settings) as rows:
        if await rows.fetchval(queries()["take_turn"], "forget deliveries", FORGET_SECONDS):
            await rows.execute(queries()["forget_deliveries"], KEPT_SECONDS)
