"""What a prober does besides waking a service that was away: it shows the canary to one that works."""

from tests.fake_canary_table import FakeCanaryTable
from tests.fake_slot_table import FakeSlotTable
from tests.unit.world import Clock
from tests.waiting import turns, until
from windmill.calling.canary_watch import CanaryWatch
from windmill.calling.fleet_slots import FleetSlots
from windmill.calling.prober import Prober
from windmill.calling.service_addresses import ServiceAddress
from windmill.calling.service_state import ServiceState
from windmill.core.outcomes import Stored
from windmill.core.services import Service, load_fleet
from windmill.core.settings import ROOT, Settings

POSE = load_fleet(ROOT / "service_config.json").services["pose"]
SEES, BLIND = Stored('{"predictions": [{"landmarks": {}}]}', 0.1), Stored('{"predictions": []}', 0.1)


class Bench:
    """A working service with a canary, and its prober."""

    def __init__(self) -> None:
        self.clock = Clock()
        self.says = SEES
        self.sent = 0
        self.table = FakeSlotTable(self.clock)
        slots = FleetSlots(POSE, 1, 5, self.table, clock=self.clock)
        watch = CanaryWatch(POSE, self, FakeCanaryTable(), 60, slot=slots.slot, clock=self.clock)
        settings = Settings.from_env({})
        self.state = ServiceState(POSE, settings, watch.probe, fleet_slots=slots, watch=watch, clock=self.clock)
        self.watch = watch
        self.prober = Prober(self.state)

    async def upload(self, service: Service, image: bytes, at: ServiceAddress | None = None) -> Stored:
        self.sent += 1
        return self.says

    async def shows_canary(self, times: int) -> None:
        """A job is answered, and a minute later the canary is due."""
        self.watch.answered(self.says)
        self.clock.now += 60
        wanted = self.sent + times
        self.prober.probe_when_due()
        await until(lambda: self.sent == wanted and not self.state.slots.taken)


async def test_a_working_service_that_goes_blind_gets_no_more_jobs() -> None:
    bench = Bench()
    await bench.shows_canary(1)
    assert (bench.state.breaker.state, bench.state.blind) == ("closed", False)
    bench.says = BLIND
    await bench.shows_canary(2)
    assert (bench.state.breaker.state, bench.state.blind) == ("open", True)
    assert bench.state.ramp_up.limit == 1, "as after any outage, it has to show first that it bears more"


async def test_a_blind_service_gets_a_job_when_it_sees_again() -> None:
    bench = Bench()
    await bench.shows_canary(1)
    bench.says = BLIND
    await bench.shows_canary(2)
    bench.says = SEES
    bench.clock.now += 60
    bench.prober.probe_when_due()
    await until(lambda: bench.state.breaker.state == "half-open")
    bench.state.breaker.answered()
    assert not bench.state.blind


async def test_an_idle_service_is_not_disturbed() -> None:
    bench = Bench()
    bench.clock.now += 3600
    bench.prober.probe_when_due()
    await turns(1)
    assert bench.sent == 0


async def test_the_canary_is_shown_in_a_slot_of_the_fleet() -> None:
    bench = Bench()
    await bench.shows_canary(1)
    assert bench.table.asked[:2] == ["create", "take"]
    await until(lambda: bench.table.asked[-1] == "free")
