"""One job to one outcome, without a broker or a database."""

import asyncio
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime

import pytest

from tests.unit.world import Clock
from tests.waiting import turns
from windmill.calling.job_handler import JobHandler
from windmill.calling.service_state import ServiceState
from windmill.core.errors import ERROR_CODES, Code, WindmillError
from windmill.core.messages import History, Job
from windmill.core.outcomes import MAX_OUTAGES, Failed, Outcome, RetryLater, Stored, Unavailable
from windmill.core.services import Service, load_fleet
from windmill.core.settings import ROOT, Settings
from windmill.process.runner import background

CLIP = load_fleet(ROOT / "service_config.json").services["clip"]
BY_URL = replace(CLIP, transport="url")
SETTINGS = Settings.from_env({"MAX_RETRIES": "3"})
JOB = Job(17, "17.jpg", "/p/17.jpg", None, datetime(2026, 1, 1, tzinfo=UTC))
LINKED = replace(JOB, image_path=None, image_url="https://example.com/17.jpg")
ANSWER = Stored("{}", 0.5)

BLAMED_ON_NOBODY: list[Code] = ["SERVICE_ERROR", "SERVICE_TIMEOUT", "BAD_RESPONSE", "SERVICE_REJECTED"]


def failing(code: Code) -> WindmillError:
    return WindmillError(code, "because")


@dataclass
class Bench:
    """A handler with all that it asks, each of which does as it is told."""

    service: Service = CLIP
    call_error: BaseException | None = None
    canary_error: WindmillError | None = None
    read_error: WindmillError | None = None
    fault: WindmillError | None = None
    answers_meanwhile: bool = False
    asked: list[tuple[str, object]] = field(default_factory=list)
    clock: Clock = field(default_factory=Clock)

    def __post_init__(self) -> None:
        self.state = ServiceState(self.service, SETTINGS, self.canary, clock=self.clock)
        self.handler = JobHandler(self.read, self, self.check)

    async def handle(self, job: Job = JOB, attempt: int = 1, outages: int = 0) -> Outcome:
        async with background(self._answer_others()):
            return await self.handler.handle(self.state, job, History(attempt, outages))

    async def _answer_others(self) -> None:
        """Again and again, as nobody knows when the handler begins to wait for such an answer."""
        while self.answers_meanwhile:
            await turns(1)
            self.state.answered(self.clock.now, 2, first_try=False)

    async def read(self, job: Job) -> bytes:
        self.asked.append(("read", job.image_id))
        if self.read_error:
            raise self.read_error
        return b"pixels"

    async def check(self, image: bytes) -> WindmillError | None:
        self.asked.append(("check", image))
        return self.fault

    async def canary(self, service: Service) -> None:
        self.asked.append(("canary", service.name))
        if self.canary_error:
            raise self.canary_error

    async def upload(self, service: Service, image: bytes) -> Stored:
        return self._answer("upload", image)

    async def refer(self, service: Service, image_url: str) -> Stored:
        return self._answer("refer", image_url)

    def _answer(self, how: str, what: object) -> Stored:
        self.asked.append((how, what))
        self.clock.now += 1
        if self.answers_meanwhile:
            self.state.slots.taken = 2
        if self.call_error:
            raise self.call_error
        return ANSWER

    def steps(self) -> list[str]:
        return [what for what, _ in self.asked]


async def test_the_bytes_of_the_image_are_uploaded() -> None:
    bench = Bench()
    assert await bench.handle() == ANSWER
    assert bench.asked == [("read", 17), ("upload", b"pixels")]


async def test_a_service_that_fetches_itself_gets_the_url_and_nothing_is_read() -> None:
    bench = Bench(BY_URL)
    assert await bench.handle(LINKED) == ANSWER
    assert bench.asked == [("refer", "https://example.com/17.jpg")]


async def test_an_image_that_has_only_a_path_is_uploaded_also_to_a_service_that_fetches_itself() -> None:
    bench = Bench(BY_URL)
    await bench.handle()
    assert bench.steps() == ["read", "upload"]


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        (failing("IMAGE_NOT_FOUND"), Failed("IMAGE_NOT_FOUND", "because")),
        (failing("IMAGE_FORBIDDEN"), Failed("IMAGE_FORBIDDEN", "because")),
        (WindmillError("IMAGE_UNREADABLE", "disk", retry="later"), RetryLater("IMAGE_UNREADABLE", "disk", 4)),
    ],
)
async def test_an_image_that_cannot_be_read_never_reaches_the_service(error: WindmillError, expected: Outcome) -> None:
    bench = Bench(read_error=error)
    assert await bench.handle() == expected
    assert bench.steps() == ["read"]


async def test_a_share_that_is_not_mounted_is_no_fault_of_the_job() -> None:
    gone = WindmillError("IMAGE_NOT_FOUND", "IMAGE_ROOT is empty", retry="pause")
    assert await Bench(read_error=gone).handle(attempt=99) == Unavailable(gone)


@pytest.mark.parametrize("attempt", [1, 4, 99])
async def test_a_service_that_was_not_reached_is_away_without_another_look(attempt: int) -> None:
    refused = WindmillError("SERVICE_UNREACHABLE", "connection refused", reached=False)
    bench = Bench(call_error=refused)
    assert await bench.handle(attempt=attempt, outages=99) == Unavailable(refused)
    assert bench.steps() == ["read", "upload"]


@pytest.mark.parametrize("code", ["IMAGE_TOO_LARGE", "IMAGE_FORBIDDEN"])
async def test_an_image_that_may_not_be_sent_is_given_up_at_once(code: Code) -> None:
    unfit = WindmillError(code, "because", reached=False)
    bench = Bench(call_error=unfit, canary_error=failing("SERVICE_UNREACHABLE"))
    assert await bench.handle() == Failed(code, "because")
    assert bench.steps() == ["read", "upload"]


TURNED_AWAY = [
    failing("SERVICE_UNREACHABLE"),
    failing("SERVICE_OVERLOADED"),
    WindmillError("BAD_RESPONSE", "another service answers here", retry="pause"),
]


@pytest.mark.parametrize("error", TURNED_AWAY, ids=lambda error: error.code)
@pytest.mark.parametrize("attempt", [1, 4, 99])
async def test_a_reply_of_a_service_that_is_away_is_believed_when_our_own_picture_gets_one_too(
    error: WindmillError, attempt: int
) -> None:
    to_the_picture = WindmillError("SERVICE_OVERLOADED", "503", retry_after=7)
    bench = Bench(call_error=error, canary_error=to_the_picture)
    assert await bench.handle(attempt=attempt, outages=99) == Unavailable(to_the_picture)
    assert bench.steps() == ["read", "upload", "canary"]


@pytest.mark.parametrize("error", TURNED_AWAY, ids=lambda error: error.code)
@pytest.mark.parametrize("proof", ["another answer", "the picture", "the picture is rejected"])
@pytest.mark.parametrize("outages", [0, MAX_OUTAGES - 2, MAX_OUTAGES - 1, 50])
async def test_what_is_turned_away_while_others_are_answered_was_turned_away_alone(
    error: WindmillError, proof: str, outages: int
) -> None:
    bench = Bench(call_error=error, answers_meanwhile=proof == "another answer")
    bench.canary_error = failing("SERVICE_REJECTED") if "rejected" in proof else None
    outcome = await bench.handle(attempt=2, outages=outages)
    if outages + 1 < MAX_OUTAGES:
        assert outcome == RetryLater(error.code, error.message, MAX_OUTAGES, refused=True)
    else:
        assert isinstance(outcome, Failed)
        assert outcome.code == "SERVICE_REJECTED"
        assert outcome.outage is None
        assert f"{outages + 1} times" in outcome.message
        assert error.message in outcome.message


async def test_where_many_images_are_turned_away_each_comes_again_more_often() -> None:
    bench = Bench(call_error=failing("SERVICE_OVERLOADED"))
    for _ in range(100):
        await bench.handle(outages=3)
    assert isinstance(await bench.handle(outages=MAX_OUTAGES - 1), Failed), "the same image says nothing new"
    for _ in range(300):
        await bench.handle()
    assert isinstance(await bench.handle(outages=MAX_OUTAGES - 1), RetryLater)


async def test_one_image_that_is_always_turned_away_lowers_the_number_of_calls_once() -> None:
    bench = Bench(replace(CLIP, concurrency="auto"), call_error=failing("SERVICE_OVERLOADED"))
    before = bench.state.slots.size
    await bench.handle(outages=1)
    assert bench.state.slots.size == before
    await bench.handle()
    assert bench.state.slots.size < before


@pytest.mark.parametrize("code", ["IMAGE_TOO_LARGE", "RESPONSE_TOO_LARGE"])
async def test_what_is_too_large_is_given_up_at_once_when_our_own_picture_is_answered(code: Code) -> None:
    bench = Bench(call_error=failing(code))
    assert await bench.handle() == Failed(code, "because")
    assert bench.steps() == ["read", "upload", "canary"]
    for _ in range(100):
        await bench.handle()
    assert bench.state.tries(0) == 4, "which says nothing about how reliable the service is"


@pytest.mark.parametrize("doubt", ["SERVICE_UNREACHABLE", "IMAGE_TOO_LARGE", "RESPONSE_TOO_LARGE"])
@pytest.mark.parametrize("code", ["IMAGE_TOO_LARGE", "RESPONSE_TOO_LARGE"])
async def test_what_is_too_large_is_an_outage_when_our_own_picture_is_not_answered_either(
    code: Code, doubt: Code
) -> None:
    outcome = await Bench(call_error=failing(code), canary_error=failing(doubt)).handle()
    assert isinstance(outcome, Unavailable)
    assert outcome.in_hand
    assert outcome.error.code == doubt


@pytest.mark.parametrize("fault", ["IMAGE_UNREADABLE", "IMAGE_TOO_LARGE"])
@pytest.mark.parametrize("code", ["SERVICE_ERROR", "SERVICE_REJECTED"])
async def test_an_image_that_turns_out_to_be_broken_is_given_up_at_once(code: Code, fault: Code) -> None:
    bench = Bench(call_error=failing(code), fault=WindmillError(fault, "cut"))
    assert await bench.handle() == Failed(fault, "cut")
    assert bench.steps() == ["read", "upload", "check"], "the service need not prove anything"


@pytest.mark.parametrize("code", ["SERVICE_TIMEOUT", "BAD_RESPONSE"])
async def test_no_image_is_decoded_for_what_services_never_answer_to_a_broken_one(code: Code) -> None:
    bench = Bench(call_error=failing(code), fault=failing("IMAGE_UNREADABLE"))
    await bench.handle()
    assert bench.steps() == ["read", "upload", "canary"]


def expected_if_well(code: Code, attempt: int) -> Outcome:
    last = ERROR_CODES[code].retry == "never" or attempt >= SETTINGS.max_retries + 1
    return Failed(code, "because") if last else RetryLater(code, "because", 4)


@pytest.mark.parametrize("attempt", [1, 3, 4, 9])
@pytest.mark.parametrize("proof", ["another answer", "the picture"])
@pytest.mark.parametrize("code", BLAMED_ON_NOBODY)
async def test_a_failure_counts_as_a_try_when_the_service_is_proved_well(code: Code, proof: str, attempt: int) -> None:
    bench = Bench(call_error=failing(code), answers_meanwhile=proof == "another answer")
    assert await bench.handle(attempt=attempt, outages=5) == expected_if_well(code, attempt)
    assert ("canary" in bench.steps()) is (proof == "the picture")


@pytest.mark.parametrize("outages", [0, MAX_OUTAGES - 2, MAX_OUTAGES - 1, 50])
@pytest.mark.parametrize("doubt", ["SERVICE_UNREACHABLE", "SERVICE_TIMEOUT", "SERVICE_ERROR", "BAD_RESPONSE"])
@pytest.mark.parametrize("code", BLAMED_ON_NOBODY)
async def test_a_failure_is_an_outage_when_a_good_picture_is_not_answered_either(
    code: Code, doubt: Code, outages: int
) -> None:
    bench = Bench(call_error=failing(code), canary_error=failing(doubt))
    outcome = await bench.handle(attempt=99, outages=outages)
    if outages + 1 < MAX_OUTAGES:
        assert isinstance(outcome, Unavailable)
        assert outcome.in_hand
        assert outcome.error.code == doubt
    else:
        assert isinstance(outcome, Failed)
        assert outcome.code == code
        assert outcome.outage


async def test_a_service_that_is_away_teaches_nothing_of_how_many_tries_fail() -> None:
    bench = Bench(call_error=failing("SERVICE_ERROR"), canary_error=failing("SERVICE_ERROR"))
    for _ in range(100):
        await bench.handle()
    assert bench.state.tries(0) == 4
    bench.canary_error = None
    for _ in range(100):
        await bench.handle(attempt=2)
    assert bench.state.tries(0) == 4, "nor do second tries"
    for _ in range(100):
        await bench.handle()
    assert bench.state.tries(0) > 10


async def test_where_many_first_tries_fail_a_job_gets_more() -> None:
    bench = Bench(call_error=failing("SERVICE_ERROR"), answers_meanwhile=True)
    assert isinstance(await bench.handle(attempt=4), Failed)
    for _ in range(200):
        await bench.handle()
    assert isinstance(await bench.handle(attempt=4), RetryLater)


@pytest.mark.parametrize(
    ("read_error", "expected"),
    [
        (failing("IMAGE_FORBIDDEN"), RetryLater("SERVICE_ERROR", "because", 4)),
        (failing("IMAGE_TOO_LARGE"), RetryLater("SERVICE_ERROR", "because", 4)),
        (WindmillError("IMAGE_NOT_FOUND", "slow", retry="later"), RetryLater("SERVICE_ERROR", "because", 4)),
        (WindmillError("IMAGE_NOT_FOUND", "no root", retry="pause"), RetryLater("SERVICE_ERROR", "because", 4)),
        (WindmillError("IMAGE_NOT_FOUND", "404"), Failed("IMAGE_NOT_FOUND", "404")),
        (WindmillError("IMAGE_UNREADABLE", "html"), Failed("IMAGE_UNREADABLE", "html")),
    ],
)
async def test_a_job_is_not_given_up_because_its_image_cannot_be_fetched_from_here(
    read_error: WindmillError, expected: Outcome
) -> None:
    bench = Bench(BY_URL, call_error=failing("SERVICE_ERROR"), read_error=read_error)
    assert await bench.handle(LINKED) == expected


async def test_an_image_that_the_service_fetched_is_fetched_here_to_be_looked_at() -> None:
    bench = Bench(BY_URL, call_error=failing("SERVICE_ERROR"), fault=failing("IMAGE_UNREADABLE"))
    assert await bench.handle(LINKED) == Failed("IMAGE_UNREADABLE", "because")
    assert bench.steps() == ["refer", "read", "check"]


@pytest.mark.parametrize("code", ["SERVICE_OVERLOADED", "SERVICE_TIMEOUT"])
async def test_what_means_too_many_calls_at_a_time_is_told(code: Code) -> None:
    auto = replace(CLIP, concurrency="auto")
    bench = Bench(auto, call_error=failing(code))
    before = bench.state.slots.size
    await bench.handle()
    assert bench.state.slots.size < before


async def oops() -> None:
    raise ZeroDivisionError("oops")


@pytest.mark.parametrize("where", ["call", "check"])
@pytest.mark.parametrize(("attempt", "kind"), [(1, RetryLater), (4, Failed)])
async def test_a_fault_of_ours_spends_the_tries_of_one_job_and_is_logged_with_its_trace(
    attempt: int, kind: type[RetryLater | Failed], where: str, caplog: pytest.LogCaptureFixture
) -> None:
    bench = Bench(call_error=ZeroDivisionError("oops") if where == "call" else failing("SERVICE_ERROR"))
    if where == "check":
        bench.handler = JobHandler(bench.read, bench, lambda _: oops())
    said = "unexpected fault: ZeroDivisionError('oops')"
    outcome = await bench.handle(attempt=attempt)
    assert isinstance(outcome, kind)
    assert (outcome.code, outcome.message) == ("DEFECT", said)
    assert caplog.records[0].exc_info
    assert bench.state.defects == 1


async def test_a_fault_of_ours_that_comes_with_our_own_picture_too_costs_no_job_a_try() -> None:
    bench = Bench(call_error=ZeroDivisionError("oops"), canary_error=failing("BAD_RESPONSE"))
    outcome = await bench.handle(attempt=99)
    assert isinstance(outcome, Unavailable)
    assert "ZeroDivisionError" in outcome.error.message


async def test_a_fault_of_ours_that_comes_with_every_job_is_told_a_few_times(caplog: pytest.LogCaptureFixture) -> None:
    bench = Bench()
    for number in range(1000):
        bench.call_error = ZeroDivisionError(f"image {number}")
        await bench.handle()
    assert len(caplog.records) == 5
    assert bench.state.defects == 1000


async def test_a_cancelled_job_has_no_outcome() -> None:
    with pytest.raises(asyncio.CancelledError):
        await Bench(call_error=asyncio.CancelledError()).handle()
