"""Bad days of a fleet in short: few jobs and short outages. `make chaos` runs the same with thousands and minutes."""

import pytest

from tests.chaos import crashes, scenarios
from tests.chaos.outages import Cut, Frozen, ServiceFault
from tests.chaos.scene import Scene, scene
from tests.chaos.telling import tell
from tests.e2e.conftest import Farm
from tests.integration.fleet import Fleet
from tests.integration.proxy import Proxy

pytestmark = [pytest.mark.database, pytest.mark.broker]

GOOD = 240
SLOWNESS = 0.03
Capsys = pytest.CaptureFixture[str]


@pytest.fixture
async def two_services(fleet: Fleet, farm: Farm) -> Scene:
    return await sent(fleet, farm, ["clip", "nsfw2"])


async def sent(fleet: Fleet, farm: Farm, services: list[str]) -> Scene:
    """Pictures submitted to services that take their time, so that faults come in the middle of the work."""
    fleet.environ["RETRY_DELAYS"] = "0.35,0.75"
    for service in services:
        farm.misbehave(service, slowness=SLOWNESS)
    return await scene(fleet, farm, GOOD, services, WORKER_CONCURRENCY=str(scenarios.CALLS), REQUEST_TIMEOUT="2")


@pytest.mark.slow(reason="12 s: five workers are killed; test_worker_stops kills three in every run")
async def test_after_five_kill_9_every_pair_has_its_one_row(two_services: Scene, capsys: Capsys) -> None:
    day = await scenarios.killed(two_services, 5)
    tell(capsys, f"killed 5 times: {day.line()}")
    day.verdict.must_be_whole()
    assert day.verdict.later_tries == 0


@pytest.mark.parametrize("server", ["broker", "database"])
@pytest.mark.slow(reason="22 s: test_worker_stops cuts a worker off three times in every run")
async def test_a_server_that_is_cut_off_twice_costs_nothing(
    server: str, two_services: Scene, queue_proxy: Proxy, database_proxy: Proxy, capsys: Capsys
) -> None:
    two_services.go_through(queue_proxy, database_proxy)
    day = await scenarios.servers_away(two_services, Cut(queue_proxy if server == "broker" else database_proxy), 2, 1)
    tell(capsys, f"{server} cut off twice: {day.line()}")
    day.verdict.must_be_whole()
    assert day.verdict.later_tries == 0
    assert max(day.recoveries) <= 10


@pytest.mark.slow(reason="12 s: the network is frozen for five of them")
async def test_a_network_that_is_frozen_for_five_seconds_costs_nothing(
    two_services: Scene, queue_proxy: Proxy, database_proxy: Proxy, capsys: Capsys
) -> None:
    two_services.go_through(queue_proxy, database_proxy)
    day = await scenarios.servers_away(two_services, Frozen(queue_proxy, database_proxy), 1, 5)
    tell(capsys, f"broker and database frozen for 5 s: {day.line()}")
    day.verdict.must_be_whole()
    assert day.verdict.later_tries == 0
    assert max(day.recoveries) <= 10


FAULTS: dict[str, dict[str, float]] = {
    "clip": {"down": 1},
    "inception_v3": {"error_rate": 1},
    "nsfw2": {"slowness": 20},
    "rtdetr": {"overload_rate": 1, "retry_after": 4},
}


@pytest.mark.slow(reason="22 s: the outage has to last until each worker has noticed and gone quiet")
async def test_services_that_are_away_cost_no_job_a_try(fleet: Fleet, farm: Farm, capsys: Capsys) -> None:
    """One refuses connections, one answers 500, one hangs, one answers 503 with Retry-After."""
    jobs = await sent(fleet, farm, list(FAULTS))
    outages = {name: ServiceFault(farm, name, {"slowness": SLOWNESS}, **faults) for name, faults in FAULTS.items()}
    day = await scenarios.services_away(jobs, outages, 9, settle=5)
    tell(capsys, f"down, 500, hanging and 503 for 9 s: {day.quiet_line()}")
    day.verdict.must_be_whole()
    assert day.verdict.later_tries == 0
    assert day.cpu < 0.02
    assert day.lines <= 2
    assert max(day.recoveries) <= 35


@pytest.mark.slow(reason="12 s: test_hostile_services has a service that gives 33 percent in every run")
async def test_a_service_that_gives_30_percent_garbage_fails_no_good_image(two_services: Scene, capsys: Capsys) -> None:
    day = await scenarios.garbage(two_services, "clip")
    tell(capsys, f"30 % garbage: {day.line()}")
    day.verdict.must_be_whole()
    assert day.verdict.later_tries > 0.2 * GOOD


CLASSIC = pytest.mark.slow(reason="11 s: both types of queue take the same way from here on")


@pytest.mark.slow(reason="7 s and more: workers die again and again")
@pytest.mark.parametrize(
    ("queue_type", "delays"), [("quorum", "0.35,0.75"), pytest.param("classic", "0.7", marks=CLASSIC)]
)
async def test_pictures_over_which_workers_die_are_parked_and_all_others_are_done(
    queue_type: str, delays: str, fleet: Fleet, farm: Farm, capsys: Capsys
) -> None:
    fleet.environ |= {"QUEUE_TYPE": queue_type, "RETRY_DELAYS": delays}
    line = await crashes.deadly_pictures(fleet, ["clip"], 60, deadly=1, limit=3)
    tell(capsys, f"workers that die, {queue_type} queues: {line}")


async def test_a_broker_that_loses_all_queues_costs_one_command(two_services: Scene, capsys: Capsys) -> None:
    day, brought_back = await scenarios.emptied(two_services)
    tell(capsys, f"broker emptied: {brought_back} jobs brought back, {day.line()}")
    day.verdict.must_be_whole(all_parked=False)
    assert brought_back > 0
