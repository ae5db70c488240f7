"""The outbox of webhooks: a receiver that is away loses nothing, and one that stays away is disabled and told. Time is
simulated: all that is dated is moved into the past."""

import uuid
from collections.abc import AsyncIterator
from dataclasses import dataclass, field

import asyncpg
import pytest

from tests.integration.fleet import Fleet
from tests.job_scene import JobScene
from windmill.core.settings import Settings
from windmill.jobs.requests import cancel_job
from windmill.operate.leased_work import LeaseLost
from windmill.operate.webhooks.endpoints import (
    WebhookAccess,
    WebhookChange,
    change_webhook,
    create_webhook,
    show_webhook,
)
from windmill.operate.webhooks.schedule import Answer
from windmill.operate.webhooks.sender import lease_receiver, send_all
from windmill.storage import database
from windmill.storage.audit_log import Actor

pytestmark = pytest.mark.database

ANN = Actor("ann")
PASS = """
WITH later AS (UPDATE webhook_deliveries SET next_at = next_at - $1 * interval '1 second')
UPDATE webhooks SET failing_since = failing_since - $1 * interval '1 second',
                    held_until = held_until - $1 * interval '1 second'
"""


@dataclass
class FakeReceiver:
    """Answers as it is told to, and keeps what it took."""

    answer: Answer
    taken: list[str] = field(default_factory=list)
    tries: int = 0

    async def post(self, url: str, headers: dict[str, str], body: str) -> Answer:
        self.tries += 1
        if self.answer.taken:
            self.taken.append(headers["webhook-id"])
        return self.answer


@dataclass
class Outbox:
    """Webhooks of one test's database."""

    access: WebhookAccess
    jobs: JobScene
    rows: asyncpg.Connection

    async def webhook(self) -> uuid.UUID:
        made = await create_webhook(self.access, ANN, "https://hooks.example/", ["job.cancelled"])
        return made.webhook.webhook_id

    async def event(self) -> None:
        await cancel_job(self.jobs.access, await self.jobs.submit(principal="ann"), "ann")

    async def send(self, receiver: FakeReceiver) -> None:
        """All that is due now."""
        token = uuid.uuid4()
        while leased := await lease_receiver(self.access, token):
            await send_all(self.access, receiver, leased, token)

    async def pass_time(self, seconds: float) -> None:
        await self.rows.execute(PASS, seconds)


@pytest.fixture
async def outbox(fleet: Fleet, settings: Settings) -> AsyncIterator[Outbox]:
    async with database.pool(settings, "test") as pool:
        yield Outbox(WebhookAccess(pool, settings), JobScene(pool, settings, fleet.rows), fleet.rows)


async def test_a_receiver_that_is_down_for_an_hour_gets_everything_once_it_is_up(outbox: Outbox) -> None:
    webhook = await outbox.webhook()
    receiver = FakeReceiver(Answer(None, "ClientConnectorError"))
    for minute in range(60):
        if minute % 3 == 0:
            await outbox.event()
        await outbox.send(receiver)
        await outbox.pass_time(60)
    assert (await show_webhook(outbox.access, webhook, "ann")).failing_since is not None
    assert receiver.tries < 25
    receiver.answer = Answer(204)
    for _ in range(6):
        await outbox.pass_time(60)
        await outbox.send(receiver)
    sent = await outbox.rows.fetch("SELECT delivery_id FROM webhook_deliveries ORDER BY number")
    assert len(receiver.taken) >= 10, "only what was tried several times waits longer"
    await outbox.pass_time(86_400)
    await outbox.send(receiver)
    assert sorted(receiver.taken) == sorted(f"msg_{row['delivery_id'].hex}" for row in sent)
    assert len(receiver.taken) == 20
    assert (await show_webhook(outbox.access, webhook, "ann")).failing_since is None


async def test_a_receiver_that_fails_for_days_is_disabled_told_and_goes_on_when_it_is_enabled(outbox: Outbox) -> None:
    webhook = await outbox.webhook()
    receiver = FakeReceiver(Answer(500, "it answered 500"))
    for _ in range(6):
        await outbox.event()
        await outbox.send(receiver)
        await outbox.pass_time(86_400)
    seen = await show_webhook(outbox.access, webhook, "ann")
    assert seen.disabled_at
    assert seen.disabled_reason == "it has failed for 5 days"
    told = await outbox.rows.fetchrow("SELECT * FROM audit_log WHERE action = 'webhooks.disable'")
    assert told
    assert (told["principal"], told["subject"]) == ("windmill", str(webhook))
    tries = receiver.tries
    await outbox.event()
    await outbox.pass_time(86_400)
    receiver.answer = Answer(200)
    await outbox.send(receiver)
    assert receiver.tries == tries
    await change_webhook(outbox.access, ANN, webhook, "ann", WebhookChange(enabled=True))
    await outbox.send(receiver)
    assert len(receiver.taken) == 6, "what came while it was disabled was not kept"


async def test_a_message_that_is_refused_holds_up_no_other(outbox: Outbox) -> None:
    await outbox.webhook()
    receiver = FakeReceiver(Answer(500, "it answered 500"))
    await outbox.event()
    await outbox.send(receiver)
    receiver.answer = Answer(200)
    await outbox.event()
    await outbox.send(receiver)
    assert len(receiver.taken) == 1


async def test_whoever_has_lost_the_lease_writes_nothing_and_a_webhook_is_served_by_one_at_a_time(
    outbox: Outbox,
) -> None:
    await outbox.webhook()
    await outbox.event()
    first, second = uuid.uuid4(), uuid.uuid4()
    leased = await lease_receiver(outbox.access, first)
    assert leased
    assert await lease_receiver(outbox.access, second) is None

    class Frozen(FakeReceiver):
        async def post(self, url: str, headers: dict[str, str], body: str) -> Answer:
            await outbox.rows.execute("UPDATE webhooks SET lease_until = '-infinity'")
            assert await lease_receiver(outbox.access, second)
            return await super().post(url, headers, body)

    with pytest.raises(LeaseLost):
        await send_all(outbox.access, Frozen(Answer(200)), leased, first)
    assert await outbox.rows.fetchval("SELECT status FROM webhook_deliveries") == "pending"


async def test_a_change_that_is_rolled_back_tells_nobody(outbox: Outbox) -> None:
    await outbox.webhook()
    job = await outbox.jobs.submit(principal="ann")
    transaction = outbox.rows.transaction()
    await transaction.start()
    await outbox.rows.execute("INSERT INTO job_events (job_id, seq, kind) VALUES ($1, 99, 'cancelled')", job)
    assert await outbox.rows.fetchval("SELECT count(*) FROM webhook_deliveries") == 1
    await transaction.rollback()
    assert await outbox.rows.fetchval("SELECT count(*) FROM webhook_deliveries") == 0
