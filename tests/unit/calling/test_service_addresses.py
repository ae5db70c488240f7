"""Several addresses of one service: the fewest calls in flight, and a breaker for each."""

import asyncio
from dataclasses import dataclass, field

import pytest

from tests.unit.world import Clock
from tests.waiting import settled, turns, until
from windmill.calling.http1 import HttpServer
from windmill.calling.prober import Prober
from windmill.calling.service_addresses import FailedAtAddress, ServiceAddress, ServiceAddresses
from windmill.calling.service_state import ServiceState
from windmill.core.errors import Code, WindmillError
from windmill.core.outcomes import Stored, Unavailable, after_outage
from windmill.core.service_urls import ServiceUrl
from windmill.core.services import Service, load_fleet
from windmill.core.settings import ROOT, Settings

CLIP = load_fleet(ROOT / "service_config.json").services["clip"]
ANSWER = Stored("{}", 0.5)


def failing(code: Code = "SERVICE_UNREACHABLE") -> WindmillError:
    return WindmillError(code, "because")


@dataclass
class Bench:
    """A service at several addresses, whose probes fail at those that are broken."""

    number: int = 3
    broken: dict[int, WindmillError] = field(default_factory=dict)
    probed: list[int] = field(default_factory=list)
    clock: Clock = field(default_factory=Clock)

    def __post_init__(self) -> None:
        ports = range(1, self.number + 1)
        servers = [(ServiceUrl("http", "h", port), HttpServer("h", port)) for port in ports]
        self.addresses = ServiceAddresses("clip", servers, self.probe, clock=self.clock)
        self.state = ServiceState(CLIP, Settings.from_env({}), self.canary, addresses=self.addresses, clock=self.clock)

    async def probe(self, address: ServiceAddress) -> None:
        self.probed.append(address.url.port)
        await turns(1)
        if error := self.broken.get(address.url.port):
            raise error

    async def canary(self, _: Service) -> None:
        raise AssertionError("the address is probed, not any other")

    def at(self, port: int) -> ServiceAddress:
        return next(one for one in self.addresses if one.url.port == port)

    def take(self, times: int) -> list[int]:
        """The ports of so many calls that begin and do not end."""
        ports = []
        for _ in range(times):
            address = self.addresses.pick()
            address.in_flight += 1
            ports.append(address.url.port)
        return ports


async def test_calls_go_to_the_address_with_the_fewest_in_flight() -> None:
    bench = Bench()
    bench.at(1).in_flight, bench.at(2).in_flight, bench.at(3).in_flight = 4, 2, 3
    assert sorted(bench.take(3)) == [2, 2, 3]
    assert [one.in_flight for one in bench.addresses] == [4, 4, 4]


async def test_addresses_that_are_equally_busy_take_turns() -> None:
    bench = Bench()
    assert [bench.addresses.pick().url.port for _ in range(6)] == [1, 2, 3, 1, 2, 3]


async def test_an_address_that_is_away_takes_no_calls() -> None:
    bench = Bench()
    bench.at(2).breaker.trip(failing())
    assert bench.take(4) == [1, 3, 1, 3]
    assert bench.addresses.can_fail_over()


async def test_all_away_is_a_service_that_is_away() -> None:
    bench = Bench(2)
    for address in bench.addresses:
        address.breaker.trip(failing("SERVICE_OVERLOADED"))
    with pytest.raises(WindmillError, match="all 2 addresses of clip are away; because") as refused:
        bench.addresses.pick()
    assert (refused.value.code, refused.value.retry) == ("SERVICE_OVERLOADED", "pause")
    assert bench.state.update_breaker(Unavailable(refused.value))
    assert bench.state.breaker.state == "open"


async def test_an_address_that_answers_a_probe_gets_one_call_until_it_answers_that() -> None:
    bench = Bench(2)
    bench.at(1).breaker.trip(failing())
    bench.at(1).breaker.half_open()
    assert bench.take(3) == [1, 2, 2]
    bench.at(1).breaker.answered()
    assert bench.take(1) == [1]


async def test_a_half_open_address_takes_more_where_no_other_is_left() -> None:
    bench = Bench(2)
    for address in bench.addresses:
        address.breaker.trip(failing())
    bench.at(1).breaker.half_open()
    assert bench.take(2) == [1, 1]


async def test_a_failure_at_an_address_that_is_down_costs_no_try_and_the_service_goes_on() -> None:
    bench = Bench(2, broken={1: failing()})
    error = FailedAtAddress(failing("BAD_RESPONSE"), bench.at(1))
    outage = await bench.state.find_outage(error)
    assert outage
    assert bench.probed == [1]
    tried = after_outage(error, outage, 0)
    assert isinstance(tried, Unavailable)
    assert tried.in_hand
    assert not bench.state.update_breaker(tried)
    assert bench.state.breaker.state == "closed"
    assert bench.take(2) == [2, 2]


async def test_a_failure_at_an_address_that_is_well_is_the_jobs() -> None:
    bench = Bench(2)
    assert await bench.state.find_outage(FailedAtAddress(failing("SERVICE_ERROR"), bench.at(1))) is None
    assert not bench.at(1).is_open


async def test_an_address_that_rejects_the_probe_has_read_it() -> None:
    bench = Bench(2, broken={1: failing("SERVICE_REJECTED")})
    assert await bench.state.find_outage(FailedAtAddress(failing("SERVICE_ERROR"), bench.at(1))) is None
    assert await bench.state.find_outage(FailedAtAddress(failing("SERVICE_REJECTED"), bench.at(1)))


async def test_jobs_that_failed_together_share_the_probe_of_their_address() -> None:
    bench = Bench(2, broken={1: failing()})
    errors = [FailedAtAddress(failing("BAD_RESPONSE"), bench.at(1)) for _ in range(5)]
    found = await asyncio.gather(*map(bench.state.find_outage, errors))
    assert all(found)
    assert bench.probed == [1]


async def test_a_bug_of_ours_stops_the_service_though_addresses_are_left() -> None:
    bench = Bench(2)
    assert bench.state.update_breaker(Unavailable(failing("DEFECT")))
    assert bench.state.breaker.state == "open"


async def test_the_prober_brings_an_address_back_while_the_others_work() -> None:
    bench = Bench(2, broken={1: failing()})
    bench.at(1).breaker.trip(failing())
    woken: list[bool] = []
    prober = Prober(bench.state, lambda: woken.append(True))
    prober.probe_when_due()
    assert bench.probed == [], "not before its time"
    bench.clock.now += 60
    prober.probe_when_due()
    prober.probe_when_due()
    await settled()
    assert bench.probed == [1], "one probe at a time"
    assert bench.at(1).is_open
    bench.broken.clear()
    bench.clock.now += 60
    prober.probe_when_due()
    await until(lambda: bool(woken))
    assert bench.at(1).breaker.state == "half-open"
    assert bench.state.breaker.state == "closed"
    prober.close()


async def test_the_first_address_that_answers_again_brings_the_service_back() -> None:
    bench = Bench(2, broken={1: failing()})
    for address in bench.addresses:
        address.breaker.trip(failing())
    bench.state.update_breaker(Unavailable(failing()))
    bench.clock.now += 60
    prober = Prober(bench.state)
    prober.probe_when_due()
    await until(lambda: bench.state.breaker.state == "half-open")
    assert sorted(bench.probed) == [1, 2]
    assert bench.state.update_breaker(ANSWER)
    assert bench.state.breaker.state == "closed"
    prober.close()


async def test_one_address_has_no_breaker_of_its_own() -> None:
    bench = Bench(1)
    assert bench.addresses.pick() is bench.at(1)
    assert not bench.addresses.can_fail_over()
    bench.clock.now += 60
    assert bench.addresses.due() == []
