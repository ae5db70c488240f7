"""One job to one outcome, without a broker or a database."""

import asyncio
from dataclasses import replace
from datetime import UTC, datetime

import pytest

from windmill.errors import WindmillError
from windmill.messages import Job
from windmill.outcomes import Failed, RetryLater, Stored, Unavailable
from windmill.services import Service, load_fleet
from windmill.settings import ROOT
from workers.handler import Handler

CLIP = load_fleet(ROOT / "service_config.json").services["clip"]
BY_URL = replace(CLIP, transport="url")
JOB = Job(17, "17.jpg", "/p/17.jpg", None, datetime(2026, 1, 1, tzinfo=UTC))
LINKED = replace(JOB, image_path=None, image_url="https://example.com/17.jpg")
ANSWER = Stored("{}", 0.5)


class Client:
    """Notes what it is asked and answers, or fails as it is told."""

    def __init__(self, error: BaseException | None = None) -> None:
        self.asked: list[tuple[str, str, object]] = []
        self._error = error

    async def upload(self, service: Service, image: bytes) -> Stored:
        return self._answer("upload", service, image)

    async def refer(self, service: Service, image_url: str) -> Stored:
        return self._answer("refer", service, image_url)

    def _answer(self, how: str, service: Service, what: object) -> Stored:
        self.asked.append((how, service.name, what))
        if self._error:
            raise self._error
        return ANSWER


class Images:
    def __init__(self, error: Exception | None = None) -> None:
        self.read_count = 0
        self._error = error

    async def read(self, job: Job) -> bytes:
        self.read_count += 1
        if self._error:
            raise self._error
        return b"pixels"


async def test_the_bytes_of_the_image_are_uploaded() -> None:
    client = Client()
    assert await Handler(Images().read, client, 3).handle(CLIP, JOB, 1) == ANSWER
    assert client.asked == [("upload", "clip", b"pixels")]


async def test_a_service_that_fetches_itself_gets_the_url_and_nothing_is_read() -> None:
    client, images = Client(), Images()
    assert await Handler(images.read, client, 3).handle(BY_URL, LINKED, 1) == ANSWER
    assert client.asked == [("refer", "clip", "https://example.com/17.jpg")]
    assert images.read_count == 0


async def test_an_image_that_has_only_a_path_is_uploaded_also_to_a_service_that_fetches_itself() -> None:
    client = Client()
    await Handler(Images().read, client, 3).handle(BY_URL, JOB, 1)
    assert client.asked[0][0] == "upload"


async def test_an_image_that_cannot_be_read_never_reaches_the_service() -> None:
    client = Client()
    images = Images(WindmillError("IMAGE_NOT_FOUND", "gone"))
    assert await Handler(images.read, client, 3).handle(CLIP, JOB, 1) == Failed("IMAGE_NOT_FOUND", "gone")
    assert client.asked == []


@pytest.mark.parametrize(
    ("error", "attempt", "outcome"),
    [
        (WindmillError("SERVICE_ERROR", "500"), 3, RetryLater("SERVICE_ERROR", "500")),
        (WindmillError("SERVICE_ERROR", "500"), 4, Failed("SERVICE_ERROR", "500")),
        (WindmillError("SERVICE_REJECTED", "400"), 1, Failed("SERVICE_REJECTED", "400")),
        (
            WindmillError("SERVICE_UNREACHABLE", "refused", "start it"),
            9,
            Unavailable("SERVICE_UNREACHABLE", "refused", "start it"),
        ),
    ],
)
async def test_a_call_that_fails_becomes_an_outcome(error: WindmillError, attempt: int, outcome: object) -> None:
    assert await Handler(Images().read, Client(error), 3).handle(CLIP, JOB, attempt) == outcome


@pytest.mark.parametrize(("attempt", "kind"), [(1, RetryLater), (4, Failed)])
async def test_a_fault_of_ours_spends_the_tries_of_one_job_and_is_logged_with_its_trace(
    attempt: int, kind: type, caplog: pytest.LogCaptureFixture
) -> None:
    outcome = await Handler(Images().read, Client(ZeroDivisionError("oops")), 3).handle(CLIP, JOB, attempt)
    assert outcome == kind("BAD_RESPONSE", "unexpected fault in the worker: ZeroDivisionError('oops')")
    assert caplog.records[0].exc_info


async def test_a_cancelled_job_has_no_outcome() -> None:
    with pytest.raises(asyncio.CancelledError):
        await Handler(Images().read, Client(asyncio.CancelledError()), 3).handle(CLIP, JOB, 1)
