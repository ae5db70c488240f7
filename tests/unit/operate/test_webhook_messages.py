"""Messages to webhooks: signed as the standard has it, sent again for days, and never into the private network."""

import base64
import time
import uuid

import pytest
from aiohttp.abc import AbstractResolver
from standardwebhooks.webhooks import Webhook, WebhookVerificationError

from tests.unit.loopback import reply, serving
from tests.unit.media.fetching import PRIVATE, Names
from tests.waiting import forever
from windmill.core.errors import WindmillError
from windmill.operate.webhooks.poster import WebhookPoster, must_be_fit
from windmill.operate.webhooks.schedule import DELAYS, Answer, held_seconds, judge, reason_to_disable
from windmill.operate.webhooks.signing import message_id, new_secret, secret_text, signed_headers

DAY = 86_400.0
BODY = '{"type":"job.succeeded","data":{"job":"ü"}}'


def test_a_message_is_verified_by_the_library_of_the_standard() -> None:
    secret, other = new_secret(), new_secret()
    headers = signed_headers([secret, other], message_id(uuid.uuid4()), int(time.time()), BODY)
    for one in (secret, other):
        assert Webhook(secret_text(one)).verify(BODY, headers) == {"type": "job.succeeded", "data": {"job": "ü"}}
    for text, key in ((BODY + " ", secret), (BODY, new_secret())):
        with pytest.raises(WebhookVerificationError):
            Webhook(secret_text(key)).verify(text, headers)
    assert len(base64.b64decode(secret_text(secret).removeprefix("whsec_"))) == 32


def test_what_is_not_taken_is_sent_again_for_days_and_then_given_up() -> None:
    failed = Answer(500, "it answered 500")
    delays = [judge(failed, tries, 0.5).delay for tries in range(len(DELAYS))]
    assert delays == list(DELAYS)
    assert 3 * DAY < sum(delays) < 5 * DAY
    assert judge(failed, len(DELAYS), 0.5).status == "failed"
    assert judge(Answer(204), 3, 0.5).status == "delivered"
    assert judge(failed, 0, 0.0).delay < judge(failed, 0, 1.0).delay
    assert judge(Answer(429, retry_after=1_000.0), 0, 0.5).delay == 1_000


def test_only_a_receiver_that_takes_nothing_holds_up_what_else_waits() -> None:
    assert held_seconds(Answer(500), 100) is None
    assert held_seconds(Answer(200), 0) is None
    assert [held_seconds(Answer(None, "refused"), failing) for failing in (0, 60, DAY)] == [5, 60, 300]
    assert held_seconds(Answer(503, retry_after=600.0), 0) == 600
    assert held_seconds(Answer(503, retry_after=9e9), 0) == 3_600


def test_a_receiver_that_is_gone_or_fails_for_days_is_disabled() -> None:
    assert reason_to_disable(Answer(410), 0) == "the receiver answered 410 Gone"
    assert reason_to_disable(Answer(500), 5 * DAY) == "it has failed for 5 days"
    assert reason_to_disable(Answer(500), 4 * DAY) is None
    assert reason_to_disable(Answer(200), 9 * DAY) is None


async def sent(url: str, *allowed: str, seconds: float = 10, resolver: AbstractResolver | None = None) -> Answer:
    async with WebhookPoster(frozenset(allowed), seconds, resolver) as poster:
        return await poster.post(url, {"webhook-id": "msg_1"}, BODY)


async def test_a_message_arrives_with_its_headers() -> None:
    async with serving(lambda path: reply(b"", "204 No Content")) as site:
        answer = await sent(f"http://127.0.0.1:{site.port}/hook?x=1", "127.0.0.1")
    assert (answer.status, answer.error, answer.taken) == (204, None, True)
    assert site.requests[0].startswith(b"POST /hook?x=1 HTTP/1.1\r\n")
    assert b"webhook-id: msg_1\r\n" in site.requests[0]


@pytest.mark.parametrize("host", PRIVATE)
async def test_no_message_goes_into_the_private_network_however_it_is_spelt(host: str) -> None:
    async with serving(lambda path: reply(b"")) as site:
        answer = await sent(f"http://{host}:{site.port}/")
    assert (answer.status, site.connections) == (None, 0)
    assert answer.error


@pytest.mark.parametrize("url", ["ftp://example.com/", "http://10.0.0.1/", "http://[::1]/", "http://localhost/", "x"])
def test_a_url_that_can_never_be_sent_to_is_refused_at_once(url: str) -> None:
    with pytest.raises(WindmillError, match="USAGE"):
        must_be_fit(url, frozenset())


async def test_a_name_that_leads_elsewhere_the_second_time_is_judged_by_where_it_leads() -> None:
    names = Names("127.0.0.1", "127.0.0.2")
    async with serving(lambda path: reply(b"")) as site:
        url = f"http://turning.example:{site.port}/"
        assert (await sent(url, "127.0.0.1/32", resolver=names)).status == 200
        refused = await sent(url, "127.0.0.1/32", resolver=names)
    assert (refused.status, refused.error) == (None, "turning.example resolves to no public address")
    assert site.connections == 1


async def test_no_redirect_is_followed() -> None:
    async with serving(lambda path: reply(b"")) as inner:
        away = reply(b"", "307 Elsewhere", f"Location: http://127.0.0.1:{inner.port}/")
        async with serving(lambda path: away) as site:
            answer = await sent(f"http://127.0.0.1:{site.port}/", "127.0.0.1")
    assert (answer.status, answer.taken, inner.connections) == (307, False, 0)


async def test_a_receiver_that_is_silent_away_or_busy_is_told_apart() -> None:
    async def silent(*_: object) -> None:
        await forever()

    async with serving(silent) as site:
        assert (await sent(f"http://127.0.0.1:{site.port}/", "127.0.0.1", seconds=0.2)).error == (
            "it did not answer within 0.2 s"
        )
    assert (await sent(f"http://me:hunter2@127.0.0.1:{site.port}/", "127.0.0.1")).error == "ClientConnectorError"
    busy = reply(b"", "503 Busy", "Retry-After: 90")
    async with serving(lambda path: busy) as site:
        answer = await sent(f"http://127.0.0.1:{site.port}/", "127.0.0.1")
    assert (answer.status, answer.retry_after) == (503, 90.0)
