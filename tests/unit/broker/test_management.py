"""What is asked of RabbitMQ's management API, by version."""

import asyncio
from dataclasses import replace

import orjson
import pytest

from tests.unit.loopback import Site, reply, serving
from windmill.broker.management import QueueActivity, activity, ask, limit_deliveries
from windmill.core.errors import WindmillError
from windmill.core.settings import Settings

SETTINGS = replace(Settings.from_env({}), queue_host="127.0.0.1")


async def policies(version: str, **changes: object) -> dict[str, dict[str, object]]:
    """The definitions that a RabbitMQ of this version is given for the queues of clip."""

    def answer(path: str) -> bytes:
        document = {"rabbitmq_version": version} if path == "/api/overview" else {}
        return reply(orjson.dumps(document), "200 OK", "Content-Type: application/json")

    async with serving(answer) as site:
        settings = replace(SETTINGS, queue_management_port=site.port, **changes)  # type: ignore[arg-type]
        await asyncio.to_thread(limit_deliveries, settings, ["clip"])
    return {name: policy["definition"] for name, policy in put(site).items()}


def put(site: Site) -> dict[str, dict[str, dict[str, object]]]:
    requests = [request.split(b"\r\n\r\n", 1) for request in site.requests if request.startswith(b"PUT ")]
    return {head.split()[1].decode().rpartition("/")[2]: orjson.loads(body) for head, body in requests}


@pytest.mark.parametrize("version", ["4.0.1", "4.2.0-rc.1", "10.0.0"])
async def test_where_the_broker_limits_every_queue_parked_jobs_are_free_of_it(version: str) -> None:
    assert (await policies(version))["queue_clip.failed"] == {"delivery-limit": -1}


@pytest.mark.parametrize("version", ["3.10.8", "3.13.7", ""])
async def test_where_it_does_not_nothing_is_set_for_parked_jobs(version: str) -> None:
    assert list(await policies(version)) == ["queue_clip", "queue_clip_urgent"]


async def test_the_limit_of_work_queues_is_the_setting() -> None:
    found = await policies("3.10.8", delivery_limit=7)
    for queue in ("queue_clip", "queue_clip_urgent"):
        assert (found[queue]["delivery-limit"], found[queue]["dead-letter-routing-key"]) == (7, "queue_clip.failed")


async def test_classic_queues_get_no_policy() -> None:
    assert await policies("4.0.1", queue_type="classic") == {}


TOTALS = [{"name": "new"}, {"name": "busy", "messages_unacknowledged": 4}]
RATES = {"message_stats": {"publish_details": {"rate": 2.5}, "deliver_get_details": {"rate": 1.5}}}


@pytest.mark.parametrize(
    ("overview", "new", "busy"),
    [
        ({"disable_stats": False}, QueueActivity(None, 0.0, 0.0), QueueActivity(4, 2.5, 1.5)),
        ({"disable_stats": True}, QueueActivity(None, None, None), QueueActivity(4, None, None)),
    ],
)
async def test_activity_tells_what_the_api_knows_of_each_queue(
    overview: dict[str, bool], new: QueueActivity, busy: QueueActivity
) -> None:
    """Statistics are asked for where they are collected, and the numbers of messages come without them."""

    def answer(path: str) -> bytes:
        if path == "/api/overview":
            return reply(orjson.dumps(overview))
        return reply(orjson.dumps(TOTALS if "disable_stats=true" in path else [{"name": "busy", **RATES}, TOTALS[0]]))

    async with serving(answer) as site:
        found = await asyncio.to_thread(activity, replace(SETTINGS, queue_management_port=site.port))
    assert found == {"new": new, "busy": busy}


async def test_when_a_node_is_away_the_next_one_is_asked_and_the_first_is_left_alone_from_then_on() -> None:
    async with serving(lambda _: reply(orjson.dumps({"rabbitmq_version": "4.0.1"}))) as site:
        # On the other addresses of this machine nobody listens.
        nodes = replace(SETTINGS, queue_host="127.0.0.9,127.0.0.1:1,127.0.0.8", queue_management_port=site.port)
        await asyncio.to_thread(limit_deliveries, nodes, ["clip"])
    assert [request.split()[0] for request in site.requests] == [b"GET", b"PUT", b"PUT", b"PUT"]


async def test_when_no_node_answers_all_are_named() -> None:
    nodes = replace(SETTINGS, queue_host="127.0.0.9,[::1]", queue_management_port=1)
    either = r"http://127\.0\.0\.9:1, http://\[::1\]:1|http://\[::1\]:1, http://127"
    with pytest.raises(WindmillError, match=either) as raised:
        await asyncio.to_thread(activity, nodes)
    assert raised.value.code == "BROKER_UNAVAILABLE"


async def test_an_api_that_gives_no_answer_in_time_is_unreachable() -> None:
    async def never(_: str, __: asyncio.StreamWriter) -> None:
        await asyncio.Event().wait()

    async with serving(never) as site:
        silent = replace(SETTINGS, queue_management_port=site.port)
        with pytest.raises(WindmillError) as raised:
            await asyncio.to_thread(ask, silent, "whoami", 0.1)
    assert raised.value.code == "BROKER_UNAVAILABLE"


async def test_an_api_that_refuses_the_login_means_wrong_settings() -> None:
    async with serving(lambda _: reply(b"{}", "401 Unauthorized")) as site:
        refused = replace(SETTINGS, queue_management_port=site.port)
        with pytest.raises(WindmillError) as raised:
            await asyncio.to_thread(activity, refused)
    assert raised.value.code == "CONFIG_INVALID"
