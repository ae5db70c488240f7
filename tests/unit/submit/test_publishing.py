"""Publishing a submission: limit, window, stop and interruption."""

import asyncio
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime

import orjson
import pytest

from tests.waiting import turns, until
from windmill.broker import Headers
from windmill.core.errors import WindmillError
from windmill.core.messages import URGENT_HEADER, Job
from windmill.process.runner import background
from windmill.submit.batches import batches
from windmill.submit.publishing import PagePublisher, log_when_blocked
from windmill.submit.runs import RunProgress
from windmill.submit.selection import ImageJobs, ImagePage

NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)
BOTH = ("clip", "ocr")


def image(image_id: int, services: tuple[str, ...] = BOTH) -> ImageJobs:
    return ImageJobs(Job(image_id, f"{image_id}.jpg", f"/p/{image_id}.jpg", None, NOON, "trace"), services)


def page(ids: Sequence[int], idle: Sequence[int] = (), absent: Sequence[int] = ()) -> ImagePage:
    """A page of images; the idle ones have no services."""
    images = [image(number, () if number in idle else BOTH) for number in ids]
    return ImagePage(max([*ids, *absent, 0]), images, list(absent))


class Target:
    """Confirms publishes; fails at one image, or sets the stop at another."""

    def __init__(self, breaks_at: int = 0, stops_at: int = 0, stop: asyncio.Event | None = None) -> None:
        self.published: list[tuple[int, tuple[str, ...]]] = []
        self.headers: list[Headers] = []
        self.under_way = self.most_under_way = 0
        self._breaks_at = breaks_at
        self._stops_at = stops_at
        self._stop = stop

    @property
    def ids(self) -> list[int]:
        return [image_id for image_id, _ in self.published]

    async def to_services(self, body: bytes, services: Sequence[str], headers: Headers) -> None:
        self.headers.append(headers)
        self.under_way += 1
        self.most_under_way = max(self.most_under_way, self.under_way)
        await turns(1)
        self.under_way -= 1
        image_id = orjson.loads(body)["image_id"]
        if image_id == self._stops_at and self._stop:
            self._stop.set()
        if image_id == self._breaks_at:
            self._breaks_at = 0
            raise WindmillError("BROKER_UNAVAILABLE", "gone")
        self.published.append((image_id, tuple(services)))


class Bar:
    def __init__(self) -> None:
        self.seen = 0

    def update(self, count: int) -> None:
        self.seen += count


def walk(window: int = 3, limit: int | None = None, bar: Bar | None = None) -> PagePublisher:
    return PagePublisher(RunProgress(1, until=100, last=0), window=window, limit=limit, on_images=(bar or Bar()).update)


async def test_every_image_is_published_once_to_its_services_and_counted() -> None:
    one, target, bar = walk(bar=(bar := Bar())), Target(), bar
    await one.publish(page(range(1, 8), idle=[2, 7]), target, asyncio.Event())
    assert target.published == [(number, BOTH) for number in (1, 3, 4, 5, 6)]
    assert one.jobs_by_service == {"clip": 5, "ocr": 5}
    assert (one.images, one.progress.images, one.progress.jobs) == (5, 5, 10)
    assert one.progress.last == 7
    assert bar.seen == 7


async def test_unconfirmed_publishes_never_exceed_the_window() -> None:
    target = Target()
    await walk(window=3).publish(page(range(1, 20)), target, asyncio.Event())
    assert target.most_under_way == 3
    assert len(target.ids) == 19


@pytest.mark.parametrize(
    ("limit", "published", "last"),
    [(1, [1], 2), (2, [1, 3], 3), (3, [1, 3, 4], 5), (4, [1, 3, 4, 6], 6), (9, [1, 3, 4, 6], 6)],
)
async def test_the_limit_counts_only_images_with_jobs(limit: int, published: list[int], last: int) -> None:
    one, target = walk(window=10, limit=limit), Target()
    rest = page(range(1, 7), idle=[2, 5])
    await one.publish(rest, target, asyncio.Event())
    assert target.ids == published
    assert one.limit_reached is (limit <= 4)
    assert one.progress.last == last
    assert [left.job.image_id for left in rest.images] == list(range(last + 1, 7))


async def test_the_limit_holds_over_pages() -> None:
    one, target = walk(window=2, limit=3), Target()
    await one.publish(page([1, 2]), target, asyncio.Event())
    assert not one.limit_reached
    await one.publish(page([3, 4]), target, asyncio.Event())
    assert target.ids == [1, 2, 3]
    assert one.limit_reached
    assert one.progress.last == 3


async def test_a_dry_run_counts_and_publishes_nothing() -> None:
    one = walk(limit=2)
    await one.publish(page([1, 2, 3]), None, asyncio.Event())
    assert (one.images, one.jobs_by_service) == (2, {"clip": 2, "ocr": 2})


async def test_a_stop_ends_publishing_after_the_confirmed_images() -> None:
    stop = asyncio.Event()
    one, target = walk(window=2), Target(stops_at=3, stop=stop)
    rest = page(range(1, 10))
    await one.publish(rest, target, stop)
    assert target.ids == [1, 2, 3, 4]
    assert one.progress.last == 4
    assert rest.images[0].job.image_id == 5


async def test_a_stop_before_the_first_publish_publishes_nothing() -> None:
    stop = asyncio.Event()
    stop.set()
    one, target = walk(), Target()
    await one.publish(page([1, 2]), target, stop)
    assert target.ids == []
    assert one.progress.last == 0


async def test_a_broker_that_goes_away_leaves_the_unconfirmed_images_on_the_page() -> None:
    one, target = walk(window=2), Target(breaks_at=4)
    rest = page(range(1, 7), absent=[9])
    with pytest.raises(WindmillError):
        await one.publish(rest, target, asyncio.Event())
    assert [left.job.image_id for left in rest.images] == [3, 4, 5, 6]
    assert (one.progress.last, one.images, one.unknown_ids) == (2, 2, [])
    await one.publish(rest, target, asyncio.Event())
    assert set(target.ids) == {1, 2, 3, 4, 5, 6}, "nothing is lost; what shared the window may come twice"
    assert (one.progress.last, one.images, one.unknown_ids) == (9, 6, [9])


@pytest.mark.parametrize(("urgent", "headers"), [(False, {}), (True, {URGENT_HEADER: True})])
async def test_the_jobs_of_an_urgent_submission_say_so(urgent: bool, headers: dict[str, object]) -> None:
    one, target = PagePublisher(RunProgress(None, 9, 0), window=2, urgent=urgent), Target()
    await one.publish(page([1, 2]), target, asyncio.Event())
    assert target.headers == [headers, headers]


async def test_an_image_with_an_urgent_job_among_ordinary_ones_is_counted_once() -> None:
    publisher, target = PagePublisher(RunProgress(None, 9, 0), window=10), Target()
    mixed = [image(1, ("clip",)), replace(image(1, ("ocr",)), urgent=True)]
    await publisher.publish(ImagePage(1, mixed), target, asyncio.Event())
    assert target.headers == [{}, {URGENT_HEADER: True}]
    assert (publisher.images, publisher.jobs_by_service.total()) == (1, 2)


async def test_publishing_skips_images_that_are_not_registered() -> None:
    one = walk()
    await one.publish(page([], absent=[5, 6]), Target(), asyncio.Event())
    assert one.unknown_ids == [5, 6]
    assert one.progress.last == 6


@pytest.mark.parametrize(
    ("values", "size", "expected"),
    [([], 3, []), ([1], 3, [[1]]), ([1, 2, 3], 3, [[1, 2, 3]]), (range(1, 6), 2, [[1, 2], [3, 4], [5]])],
)
def test_batches_hold_every_value_once_in_order(values: Sequence[int], size: int, expected: list[list[int]]) -> None:
    assert list(batches(values, size)) == expected


class Short:
    """A broker that blocks publishers for some time."""

    def __init__(self) -> None:
        self.short = True

    async def blocked(self) -> bool:
        return self.short


async def test_a_blocked_broker_is_logged_once_and_its_recovery_once(
    caplog: pytest.LogCaptureFixture,
) -> None:
    target = Short()
    with caplog.at_level("INFO"):
        async with background(log_when_blocked(target, poll_seconds=0.001)):
            await until(lambda: "short of memory or disk" in caplog.text)
            target.short = False
            await until(lambda: len(caplog.records) == 2)
    assert [record.levelname for record in caplog.records] == ["WARNING", "INFO"]
    assert "short of memory or disk" in caplog.text
