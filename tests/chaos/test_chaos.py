"""The long form of the fault tests: `make chaos`. 5,000 images for each of three services, and servers that restart."""

from collections.abc import AsyncIterator, Mapping

import pytest

from tests.chaos import crashes, scenarios
from tests.chaos.conftest import SERVICES, STATE
from tests.chaos.outages import Frozen, Restart, ServiceFault
from tests.chaos.pictures import BAD
from tests.chaos.scene import Scene, scene
from tests.chaos.telling import tell
from tests.e2e.conftest import Farm
from tests.integration.fleet import Fleet
from tests.integration.proxy import Proxy
from windmill.calling.circuit_breaker import MAX_SECONDS

pytestmark = [pytest.mark.chaos, pytest.mark.timeout(900)]

GOOD = 5_000 - sum(number for number, _ in BAD.values())
AWAY_SECONDS = 60
REQUEST_TIMEOUT = 5
SERVICE_RECOVERY = 1.2 * MAX_SECONDS + REQUEST_TIMEOUT + 2
"""The longest pause between two questions with its jitter, and one that is still hanging when the service is back."""
SERVER_RECOVERY = 10
Capsys = pytest.CaptureFixture[str]


@pytest.fixture
async def all_sent(fleet: Fleet, farm: Farm) -> Scene:
    return await scene(
        fleet, farm, GOOD, SERVICES, WORKER_CONCURRENCY=str(scenarios.CALLS), REQUEST_TIMEOUT=str(REQUEST_TIMEOUT)
    )


async def test_after_twenty_kill_9_every_pair_has_its_one_row(all_sent: Scene, capsys: Capsys) -> None:
    day = await scenarios.killed(all_sent, 20)
    tell(capsys, f"killed 20 times: {day.line()}")
    day.verdict.must_be_whole()
    assert day.verdict.later_tries == 0


@pytest.mark.parametrize("server", ["rabbitmq", "postgres"])
async def test_a_server_that_restarts_twice_costs_nothing(
    server: str, all_sent: Scene, servers: Mapping[str, str], capsys: Capsys
) -> None:
    port = servers["QUEUE_PORT" if server == "rabbitmq" else "DB_PORT"]
    day = await scenarios.servers_away(all_sent, Restart(STATE, server, int(port)), 2, 0)
    tell(capsys, f"{server} restarted twice: {day.line()}")
    day.verdict.must_be_whole()
    assert day.verdict.later_tries == 0
    assert max(day.recoveries) <= SERVER_RECOVERY


FAULTS: dict[str, dict[str, float]] = {
    "down": {"down": 1},
    "answers 500": {"error_rate": 1},
    "hangs": {"slowness": 600},
    "answers 503": {"overload_rate": 1, "retry_after": 20},
}


@pytest.mark.parametrize("fault", FAULTS)
async def test_a_service_that_is_away_for_a_minute_costs_no_job_a_try(
    fault: str, all_sent: Scene, farm: Farm, capsys: Capsys
) -> None:
    service = SERVICES[0]
    outage = ServiceFault(farm, service, {}, **FAULTS[fault])
    day = await scenarios.services_away(all_sent, {service: outage}, AWAY_SECONDS, settle=20)
    tell(capsys, f"{fault} for {AWAY_SECONDS} s: {day.quiet_line()}")
    day.verdict.must_be_whole()
    assert day.verdict.later_tries == 0
    assert day.cpu < 0.02
    assert day.lines <= 4
    assert max(day.recoveries) <= SERVICE_RECOVERY


async def test_a_service_that_gives_30_percent_garbage_fails_no_good_image(all_sent: Scene, capsys: Capsys) -> None:
    day = await scenarios.garbage(all_sent, SERVICES[0])
    tell(capsys, f"30 % garbage: {day.line()}")
    day.verdict.must_be_whole()
    assert day.verdict.later_tries > 0.2 * GOOD


@pytest.fixture
async def proxies(fleet: Fleet) -> AsyncIterator[tuple[Proxy, Proxy]]:
    """To the broker and to the database, found by the workers of this test."""
    settings = fleet.settings
    async with (
        Proxy(settings.queue_host, settings.queue_port) as queues,
        Proxy(settings.db_host, settings.db_port) as rows,
    ):
        yield queues, rows


@pytest.mark.parametrize("server", ["broker", "database"])
async def test_a_network_that_is_frozen_for_20_seconds_costs_nothing(
    server: str, all_sent: Scene, proxies: tuple[Proxy, Proxy], capsys: Capsys
) -> None:
    queues, rows = proxies
    all_sent.go_through(queues, rows)
    day = await scenarios.servers_away(all_sent, Frozen(queues if server == "broker" else rows), 1, 20)
    tell(capsys, f"{server} frozen for 20 s: {day.line()}")
    day.verdict.must_be_whole()
    assert day.verdict.later_tries == 0
    assert max(day.recoveries) <= SERVER_RECOVERY


async def test_all_of_it_at_once_loses_nothing(all_sent: Scene, servers: Mapping[str, str], capsys: Capsys) -> None:
    broker_restart = Restart(STATE, "rabbitmq", int(servers["QUEUE_PORT"]))
    database_restart = Restart(STATE, "postgres", int(servers["DB_PORT"]))
    outages = [broker_restart, database_restart, broker_restart, database_restart]
    day = await scenarios.everything(all_sent, outages, 20, SERVICES[0])
    tell(capsys, f"kills, restarts and garbage: {day.line()}")
    day.verdict.must_be_whole()


@pytest.mark.parametrize("queue_type", ["quorum", "classic"])
async def test_pictures_over_which_workers_die_are_parked_and_all_others_are_done(
    queue_type: str, fleet: Fleet, farm: Farm, capsys: Capsys
) -> None:
    fleet.environ |= {"QUEUE_TYPE": queue_type, "RETRY_DELAYS": "0.5" if queue_type == "quorum" else "0.7"}
    line = await crashes.deadly_pictures(fleet, ["clip", "nsfw2"], GOOD // 5, deadly=3, limit=6)
    tell(capsys, f"workers that die, {queue_type} queues: {line}")


async def test_a_broker_that_loses_all_queues_costs_one_command(all_sent: Scene, capsys: Capsys) -> None:
    day, brought_back = await scenarios.emptied(all_sent)
    tell(capsys, f"broker emptied: {brought_back:,} jobs brought back, {day.line()}")
    day.verdict.must_be_whole(all_parked=False)
    assert brought_back > 0
