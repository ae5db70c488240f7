"""What a real RabbitMQ says when it lets nobody in, and what becomes of it."""

import asyncio
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest
import requests

from tests.integration.fleet import Fleet
from tests.waiting import until
from windmill import broker
from windmill.broker import refusals
from windmill.broker.management import quoted_vhost
from windmill.core.errors import Code, WindmillError
from windmill.core.settings import Settings

pytestmark = [pytest.mark.broker, pytest.mark.database]
EVERYTHING = {"configure": ".*", "write": ".*", "read": ".*"}


class Accounts:
    """A user and a virtual host of a test's own."""

    def __init__(self, settings: Settings) -> None:
        self._admin = settings
        self.name = settings.queue_prefix.strip("_")
        self.settings = replace(settings, queue_user=self.name, queue_password="p")

    def api(self, method: str, path: str, document: Any = None) -> None:  # noqa: ANN401 - any JSON
        where = f"http://{self._admin.queue_host}:{self._admin.queue_management_port}/api/{path}"
        login = (self._admin.queue_user, self._admin.queue_password)
        requests.request(method, where, json=document, auth=login, timeout=10).raise_for_status()

    def delete(self) -> None:
        """RabbitMQ closes the connections of the user too."""
        self.api("DELETE", f"users/{self.name}")

    def create(self) -> None:
        self.api("PUT", f"users/{self.name}", {"password": "p", "tags": ""})
        self.api("PUT", f"permissions/{quoted_vhost(self._admin)}/{self.name}", EVERYTHING)


@pytest.fixture
def accounts(settings: Settings) -> Iterator[Accounts]:
    made = Accounts(settings)
    yield made
    made.create()
    made.delete()


async def refused(settings: Settings) -> tuple[Code, str]:
    with pytest.raises(WindmillError) as caught:
        async with broker.connection(settings, "test"):
            pass
    return caught.value.code, caught.value.message


async def test_a_user_that_is_restored_meanwhile_gets_in(
    accounts: Accounts, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(refusals, "ASK_AGAIN_SECONDS", (0.2,) * 100)
    caplog.set_level("DEBUG", "windmill.broker")

    async def connected() -> bool:
        async with broker.connection(accounts.settings, "test") as opened:
            return not opened.is_closed

    connecting = asyncio.create_task(connected())
    await until(lambda: "refused the login; asking again" in caplog.text, 20, "the first refusal")
    await asyncio.to_thread(accounts.create)
    assert await asyncio.wait_for(connecting, 30)


async def test_one_connection_too_many_passes_when_others_leave(accounts: Accounts) -> None:
    accounts.create()
    accounts.api("PUT", f"user-limits/{accounts.name}/max-connections", {"value": 0})
    code, message = await refused(accounts.settings)
    assert (code, "is reached" in message) == ("BROKER_UNAVAILABLE", True), message


async def test_a_virtual_host_that_is_not_there_is_told_by_its_name(accounts: Accounts) -> None:
    accounts.create()
    code, message = await refused(replace(accounts.settings, queue_vhost="nosuchvhost"))
    assert (code, "vhost nosuchvhost not found" in message) == ("CONFIG_INVALID", True), message


async def test_a_virtual_host_that_one_may_not_enter_is_told_too(accounts: Accounts, settings: Settings) -> None:
    accounts.api("PUT", f"users/{accounts.name}", {"password": "p", "tags": ""})
    code, message = await refused(accounts.settings)
    assert code == "CONFIG_INVALID"
    assert f"access to vhost '{settings.queue_vhost}' refused" in message


@pytest.mark.slow(reason="7 s: the user is away for a while")
async def test_a_producer_outlasts_a_broker_that_forgets_its_user_for_a_while(accounts: Accounts, fleet: Fleet) -> None:
    await asyncio.to_thread(accounts.create)
    fleet.environ.update(QUEUE_USER=accounts.name, QUEUE_PASSWORD="p", LOG_LEVEL="DEBUG")
    await fleet.register(1001)
    producer = fleet.start("producers.generic", "--services", "clip", "--max-queued", "5", "--quiet")
    await producer.says("waiting for the queues to drain", seconds=60)
    await asyncio.to_thread(accounts.delete)
    await producer.says("refused the login; asking again", len(refusals.ASK_AGAIN_SECONDS) + 1, 60)
    await fleet.image_ids("clip")
    await asyncio.to_thread(accounts.create)
    end = await producer.finished(60)
    assert end.code == 0, end.err
    assert await fleet.depth("clip") == 1
