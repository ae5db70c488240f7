"""python -m windmill failed: what is asked, and what is printed."""

import argparse
import asyncio
from collections import Counter
from datetime import UTC, datetime, timedelta
from pathlib import Path

import orjson
import pytest

from windmill.cli import failed
from windmill.cli.options import age, image_ids
from windmill.core.messages import CODE_HEADER, REASON_HEADER
from windmill.kernels.text.printable import render_printable
from windmill.operate.dead_letters.by_image import render_images_text
from windmill.operate.dead_letters.dead_letter import FailureKey, read_dead_letter
from windmill.operate.dead_letters.limits import RateLimit
from windmill.operate.dead_letters.listing import DeadLetterListing, ImageDeadLetters
from windmill.operate.dead_letters.render import (
    render_body,
    render_details_json,
    render_listing_json,
    render_listing_text,
    render_sweep_text,
)
from windmill.operate.dead_letters.sweep import SweepOutcome

NOW = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)


def parsed(*arguments: str) -> argparse.Namespace:
    top = argparse.ArgumentParser()
    failed.add_to(top.add_subparsers())
    return top.parse_args(["failed", *arguments])


@pytest.mark.parametrize(
    ("text", "span"),
    [("30m", timedelta(minutes=30)), ("12h", timedelta(hours=12)), ("7d", timedelta(days=7)), ("5s", timedelta(0, 5))],
)
def test_an_age_is_a_number_and_a_unit(text: str, span: timedelta) -> None:
    assert age(text) == span


@pytest.mark.parametrize("text", ["", "7", "d", "-7d", "1.5h", "7 d", "7y", "٣d", "9999999d"])
def test_what_is_no_age_is_refused(text: str) -> None:
    with pytest.raises(argparse.ArgumentTypeError, match="30m, 12h or 7d"):
        age(text)


def test_image_ids_are_named_or_stand_in_a_file(tmp_path: Path) -> None:
    listing = tmp_path / "ids.txt"
    listing.write_text("3\n\n 5 \n")
    assert image_ids("3,5") == image_ids(str(listing)) == {3, 5}
    listing.write_text("3\nfive\n")
    with pytest.raises(argparse.ArgumentTypeError, match="'five'"):
        image_ids(str(listing))


@pytest.mark.parametrize("text", ["0", "99999999999999999999", "²"])
def test_what_is_no_image_id_is_refused(text: str) -> None:
    with pytest.raises(argparse.ArgumentTypeError):
        image_ids(text)


def test_filters_are_moments_before_now() -> None:
    which = failed.selection(parsed("list", "--older-than", "1h", "--newer-than", "1d", "--code", "bad_response"), NOW)
    assert which.failed_before == NOW - timedelta(hours=1)
    assert which.failed_after == NOW - timedelta(days=1)
    assert which.codes == {"BAD_RESPONSE"}
    assert failed.selection(parsed("list"), NOW) == failed.selection(parsed("redrive"), NOW)


def test_an_unknown_code_is_refused_with_the_nearest_one(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        parsed("list", "--code", "IMAGE_NOTFOUND")
    assert "did you mean 'IMAGE_NOT_FOUND'" in capsys.readouterr().err


def listed(reason: str, width: int) -> list[str]:
    headers = {"windmill-code": "BAD_RESPONSE", "windmill-reason": reason, "windmill-failed-at": NOW.isoformat()}
    one = read_dead_letter("clip", b'{"image_id": 1234567}', headers)
    return render_listing_text(
        DeadLetterListing([one], Counter({("clip", "BAD_RESPONSE"): 3})), [one], width
    ).splitlines()


def test_a_reason_is_cut_where_the_line_ends() -> None:
    heading, line, *_ = listed("x" * 500, 100)
    assert heading.endswith("reason")
    assert len(line) == 100
    assert "  1234567  " in line


def test_a_reason_cannot_command_the_terminal() -> None:
    assert render_printable("a\nb\x1b[2Jc") == "a b\ufffd[2Jc"
    assert "\x1b" not in "".join(listed("\x1b]0;title\x07", 500))


def test_the_summary_says_how_many_are_not_shown() -> None:
    assert listed("r", 200)[-1] == "3 jobs, 1 are shown (--limit)"


def test_a_body_is_shown_as_what_it_is() -> None:
    assert render_body(b'{"a": 1}') == {"a": 1}
    assert render_body(b"\xffno") == "\\xffno"


def test_the_outcome_says_what_was_done_and_what_would_be() -> None:
    counts: Counter[FailureKey] = Counter({("clip", "BAD_RESPONSE"): 1200})
    assert "redrove 1,200 jobs" in render_sweep_text(
        SweepOutcome("redrive", counts, 3, dry_run=False, interrupted=False)
    )
    assert "would purge 1,200 jobs" in render_sweep_text(
        SweepOutcome("purge", counts, None, dry_run=True, interrupted=False)
    )
    assert "the same command" in render_sweep_text(SweepOutcome("redrive", counts, 3, dry_run=False, interrupted=True))


async def test_a_rate_limit_waits_and_none_does_not() -> None:
    loop = asyncio.get_running_loop()
    stop = asyncio.Event()
    started = loop.time()
    for _ in range(1000):
        await RateLimit(None).wait(stop)
    assert loop.time() - started < 0.5
    limit, started = RateLimit(50), loop.time()
    for _ in range(11):
        await limit.wait(stop)
    assert loop.time() - started >= 0.199


async def test_a_rate_limit_stops_waiting_with_the_process() -> None:
    stop = asyncio.Event()
    limit = RateLimit(1)
    await limit.wait(stop)
    stop.set()
    async with asyncio.timeout(0.5):
        await limit.wait(stop)


def test_passwords_and_tokens_of_urls_are_redacted_when_a_dead_letter_is_shown() -> None:
    url = "https://user:hunter22@images.example/1.jpg?token=abcdef123&size=2"
    body = orjson.dumps({"image_id": 7, "image_url": url})
    headers = {
        CODE_HEADER: "IMAGE_NOT_FOUND",
        REASON_HEADER: f"cannot get {url}",
        "authorization": "Bearer abcdef123456",
    }
    one = read_dead_letter("clip", body, headers)
    found = ImageDeadLetters(DeadLetterListing([one]), [{"service": "clip", "error_message": f"cannot get {url}"}])
    shown = orjson.dumps(render_details_json(found)).decode()
    assert "images.example/1.jpg" in shown
    listed = render_listing_text(found.listing, [one], 500) + str(render_listing_json(found.listing, [one]))
    for secret in ("hunter22", "abcdef123"):
        assert secret not in shown + listed


def test_parked_jobs_are_listed_with_the_file_and_how_many_images_they_are_of() -> None:
    bodies = [orjson.dumps({"image_id": 7, "image_filename": name}) for name in ("beach\x1b.jpg", "b" * 100 + ".jpg")]
    jobs = [read_dead_letter("clip", body, {CODE_HEADER: "IMAGE_NOT_FOUND"}) for body in bodies]
    found = DeadLetterListing(jobs, Counter({("clip", "IMAGE_NOT_FOUND"): 2}), images={7})
    text = render_listing_text(found, jobs, 500)
    assert "beach\ufffd.jpg" in text
    assert f"...{'b' * 33}.jpg" in text
    assert "2 jobs of 1 image\n" in text
    assert render_listing_json(found, jobs)["images"] == 1
    assert [read_dead_letter("clip", body, {}).image_filename for body in (b"[]", b"x", b"{}")] == [None] * 3


def test_a_picture_that_failed_at_several_services_is_one_line() -> None:
    body = orjson.dumps({"image_id": 7, "image_filename": "beach.jpg"})
    jobs = [read_dead_letter(service, body, {CODE_HEADER: "IMAGE_NOT_FOUND"}) for service in ("clip", "ocr")]
    jobs.insert(0, read_dead_letter("clip", b"no job", {CODE_HEADER: "BAD_MESSAGE"}))
    lines = [line.split() for line in render_images_text(jobs).splitlines()]
    assert lines == [
        ["image", "file", "jobs", "codes", "services"],
        ["7", "beach.jpg", "2", "IMAGE_NOT_FOUND", "clip", "ocr"],
        ["-", "-", "1", "BAD_MESSAGE", "clip"],
    ]
