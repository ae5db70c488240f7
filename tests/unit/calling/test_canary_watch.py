"""Whether a service still finds what it found before."""

import json
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

import pytest

from tests.fake_canary_table import FakeCanaryTable
from tests.unit.world import Clock
from windmill.calling.canaries import canary_image, finds_canary, finds_something
from windmill.calling.canary_watch import EMPTY_IN_A_ROW, SETTLE_SECONDS, SOON_SECONDS, CanaryWatch
from windmill.calling.http1 import HttpServer
from windmill.calling.probe_image import PROBE_IMAGE
from windmill.calling.service_addresses import FailedAtAddress, ServiceAddress, ServiceAddresses
from windmill.core.errors import WindmillError
from windmill.core.outcomes import Stored
from windmill.core.service_urls import ServiceUrl
from windmill.core.services import CanaryKind, Service, load_fleet
from windmill.core.settings import ROOT

FLEET = load_fleet(ROOT / "service_config.json").services
FACE, CLIP = FLEET["face"], FLEET["clip"]
FOUND = ({"label": "face"},)
SECONDS = 60.0


def answer(predictions: Sequence[object]) -> Stored:
    return Stored(json.dumps({"predictions": predictions}), 0.1)


@dataclass
class Bench:
    """A service that answers what it is told to, and a watch over it."""

    service: Service = FACE
    predictions: Sequence[object] = FOUND
    table: FakeCanaryTable = field(default_factory=FakeCanaryTable)
    clock: Clock = field(default_factory=Clock)
    sent: list[bytes] = field(default_factory=list)
    ports: Sequence[int] = (1,)
    blind_ports: Sequence[int] = ()
    steps: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        servers = [(ServiceUrl("http", "h", port), HttpServer("h", port)) for port in self.ports]
        self.addresses = ServiceAddresses(self.service.name, servers, self._no_probe, clock=self.clock)
        self.watch = CanaryWatch(
            self.service, self, self.table, SECONDS, addresses=self.addresses, slot=self.slot, clock=self.clock
        )

    async def _no_probe(self, address: ServiceAddress) -> None:
        raise AssertionError("only the watch probes here")

    @asynccontextmanager
    async def slot(self) -> AsyncIterator[None]:
        self.steps.append("takes")
        yield
        self.steps.append("frees")

    async def upload(self, service: Service, image: bytes, at: ServiceAddress | None = None) -> Stored:
        self.sent.append(image)
        self.steps.append("calls")
        return answer([] if at and at.url.port in self.blind_ports else self.predictions)

    async def probe(self) -> str | None:
        try:
            await self.watch.probe(self.service)
        except WindmillError as error:
            return error.code
        return None


@pytest.fixture
def bench() -> Bench:
    return Bench()


async def test_a_service_that_stops_finding_what_it_found_is_blind_at_its_second_miss(bench: Bench) -> None:
    assert await bench.probe() is None
    bench.predictions = []
    assert [await bench.probe() for _ in range(3)] == ["BAD_RESPONSE", "SERVICE_BLIND", "SERVICE_BLIND"]
    assert bench.table.blind == {"face"}


async def test_one_miss_is_a_mishap(bench: Bench) -> None:
    assert await bench.probe() is None
    bench.predictions = []
    assert await bench.probe() == "BAD_RESPONSE"
    bench.predictions = FOUND
    assert await bench.probe() is None
    assert not bench.table.blind


async def test_a_service_that_never_found_its_canary_is_not_blind(bench: Bench) -> None:
    bench.predictions = []
    assert [await bench.probe() for _ in range(3)] == ["BAD_RESPONSE", None, None]


async def test_what_another_process_saw_it_find_counts(bench: Bench) -> None:
    bench.table.known.add("face")
    bench.predictions = []
    assert [await bench.probe() for _ in range(2)] == ["BAD_RESPONSE", "SERVICE_BLIND"]


async def test_a_blind_service_that_finds_its_canary_again_sees(bench: Bench) -> None:
    await bench.probe()
    bench.predictions = []
    assert [await bench.probe() for _ in range(2)] == ["BAD_RESPONSE", "SERVICE_BLIND"]
    bench.predictions = FOUND
    assert await bench.probe() is None


async def test_blindness_is_known_while_the_database_is_away(bench: Bench) -> None:
    bench.table.error = WindmillError("DATABASE_UNAVAILABLE", "refused")
    assert await bench.probe() is None
    bench.predictions = []
    assert [await bench.probe() for _ in range(2)] == ["BAD_RESPONSE", "SERVICE_BLIND"]


async def test_a_service_without_a_canary_is_sent_the_probe_image_only() -> None:
    bench = Bench(CLIP, [])
    assert [await bench.probe() for _ in range(3)] == [None] * 3
    bench.watch.answered(answer([]))
    assert not bench.watch.due()
    assert set(bench.sent) == {PROBE_IMAGE}


async def test_an_idle_service_is_not_shown_its_canary(bench: Bench) -> None:
    assert not bench.watch.due()
    bench.watch.answered(answer(FOUND))
    assert bench.watch.due()
    await bench.probe()
    bench.clock.now += SECONDS
    assert not bench.watch.due()


async def test_a_service_that_works_is_shown_its_canary_now_and_then(bench: Bench) -> None:
    await bench.probe()
    bench.watch.answered(answer(FOUND))
    bench.clock.now += SECONDS - 1
    assert not bench.watch.due()
    bench.clock.now += 1
    assert bench.watch.due()


async def test_a_long_run_of_empty_answers_brings_the_canary_forward(bench: Bench) -> None:
    await bench.probe()
    for _ in range(EMPTY_IN_A_ROW):
        bench.watch.answered(answer([]))
    assert not bench.watch.due()
    bench.clock.now += SOON_SECONDS
    assert bench.watch.due()
    bench.watch.answered(answer(FOUND))
    assert not bench.watch.due()


async def test_a_recovery_is_confirmed_without_waiting_for_answers(bench: Bench) -> None:
    bench.table.unsettled = True
    await bench.probe()
    assert not bench.watch.due()
    bench.clock.now += SETTLE_SECONDS
    assert bench.watch.due()


@pytest.mark.parametrize(
    ("kind", "predictions", "something", "canary"),
    [
        ("face", [], False, False),
        ("face", [*FOUND], True, True),
        ("body", [], False, False),
        ("body", [{"landmarks": {}}], True, True),
        ("words", [], False, False),
        ("words", [{"text": "", "has_text": False}], False, False),
        ("words", [{"text": "W1NDMILL"}], True, True),
        ("words", ["odd"], False, False),
        ("color", [], False, False),
        ("color", [{"primary": {"hex": "#c8202f"}}], True, True),
        ("color", [{"primary": {"hex": "#2020cf"}}], True, False),
        ("color", [{"primary": {"hex": "red"}}], True, False),
        ("color", [{"primary": {"hex": 7}}, {"primary": None}, None], False, False),
    ],
)
def test_what_counts_as_found(kind: CanaryKind, predictions: list[object], something: bool, canary: bool) -> None:
    assert (finds_something(kind, predictions), finds_canary(kind, predictions)) == (something, canary)


def test_each_service_with_a_canary_has_its_picture() -> None:
    kinds = {name: one.canary for name, one in FLEET.items() if one.canary}
    assert kinds == {"face": "face", "pose": "body", "ocr": "words", "colors": "color"}
    assert all(canary_image(kind).startswith(b"\xff\xd8") for kind in kinds.values())


async def test_one_blind_address_of_several_is_the_one_that_is_named() -> None:
    bench = Bench(ports=(1, 2, 3))
    assert await bench.probe() is None
    assert len(bench.sent) == 3
    bench.blind_ports = (2,)
    assert await bench.probe() == "BAD_RESPONSE"
    with pytest.raises(FailedAtAddress) as raised:
        await bench.watch.probe(FACE)
    assert (raised.value.code, raised.value.address.url.port) == ("SERVICE_BLIND", 2)
    assert bench.table.blind == {"face"}


async def test_a_blind_address_is_left_out_until_it_sees_again() -> None:
    bench = Bench(ports=(1, 2))
    await bench.probe()
    bench.blind_ports = (2,)
    await bench.probe()
    await bench.probe()
    second = list(bench.addresses)[1]
    second.breaker.trip(WindmillError("SERVICE_BLIND", "because"))
    with pytest.raises(FailedAtAddress, match="finds nothing"):
        await bench.watch.probe_at(second)
    assert await bench.probe() is None, "the other one sees"
    bench.blind_ports = ()
    await bench.watch.probe_at(second)
    bench.blind_ports = (2,)
    await bench.watch.probe_at(second)  # it was seen to see; whether it is blind again, the next canaries tell


async def test_each_address_is_shown_the_canary_in_a_slot_of_its_own() -> None:
    """A slot outlasts one call, not as many calls as there are addresses."""
    bench = Bench(ports=(1, 2))
    await bench.probe()
    await bench.watch.probe_at(next(iter(bench.addresses)))
    assert bench.steps == ["takes", "calls", "frees"] * 3


async def test_a_service_of_which_no_address_could_be_shown_the_canary_has_not_found_it() -> None:
    bench = Bench(ports=(1, 2))
    for address in bench.addresses:
        address.breaker.trip(WindmillError("SERVICE_UNREACHABLE", "refused", reached=False))
    await bench.probe()
    assert not bench.table.known


async def test_while_one_address_is_known_to_be_blind_the_service_does_not_count_as_seeing() -> None:
    """Other processes may still call it, and what they were answered since it was seen to see has to be asked again."""
    bench = Bench(ports=(1, 2))
    await bench.probe()
    bench.blind_ports = (2,)
    assert [await bench.probe() for _ in range(2)] == ["BAD_RESPONSE", "SERVICE_BLIND"]
    first, second = bench.addresses
    second.breaker.trip(WindmillError("SERVICE_BLIND", "because"))
    assert await bench.probe() is None, "what was answered until now can be judged"
    assert bench.table.noted == 2
    await bench.probe()
    assert bench.table.noted == 2
    bench.blind_ports = ()
    await bench.watch.probe_at(second)
    second.breaker.half_open()
    await bench.probe()
    assert bench.table.noted == 3
    assert not first.is_open


async def test_blindness_that_could_not_be_judged_while_the_database_was_away_is_judged_later(bench: Bench) -> None:
    await bench.probe()
    bench.predictions = []
    assert [await bench.probe() for _ in range(2)] == ["BAD_RESPONSE", "SERVICE_BLIND"]
    bench.predictions = FOUND
    bench.table.error = WindmillError("DATABASE_UNAVAILABLE", "refused")
    await bench.probe()
    bench.clock.now += SETTLE_SECONDS
    assert bench.watch.due()
    bench.table.error = None
    await bench.probe()
    bench.clock.now += SETTLE_SECONDS
    assert not bench.watch.due()
