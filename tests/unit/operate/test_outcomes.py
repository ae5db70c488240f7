"""What use-cases report, as people read it and as programs do."""

from collections import Counter

import pytest

from windmill.core.settings import Settings
from windmill.kernels.flow.partitions import IdRange
from windmill.kernels.text.printable import render_printable
from windmill.operate.dead_letters.listing import DeadLetterListing
from windmill.operate.dead_letters.render import render_unread
from windmill.operate.partitions import PartitionOutcome, render_partitions_json, render_partitions_text
from windmill.operate.recompute import RecomputeOutcome, render_recompute_json, render_recompute_text
from windmill.operate.render import render_bytes, render_eta
from windmill.operate.repair.repair import RepairOutcome, RepublishedJobs, render_repair_json, render_repair_text

SETTINGS = Settings.from_env({})


def test_a_recompute_says_what_it_marked_or_would_mark() -> None:
    done = RecomputeOutcome("merge", images=2000, marked=1200, dry_run=False, interrupted=False)
    assert render_recompute_text(done) == "merge: looks again at 1,200 of 2,000 images\n"
    dry = RecomputeOutcome("merge", images=5, marked=2, dry_run=True, interrupted=True)
    assert render_recompute_text(dry) == "merge: would look again at 2 of 5 images\ninterrupted\n"
    assert render_recompute_json(dry) == {
        "stage": "merge", "images": 5, "marked": 2, "dry_run": True, "interrupted": True,
    }  # fmt: skip


def test_partitions_are_listed_by_their_ids() -> None:
    made = PartitionOutcome(1500, 2000, [IdRange(2000, 3000)], dry_run=False)
    assert render_partitions_text(made).splitlines() == [
        "the greatest image id is 1,500",
        "results is partitioned now; the first partition ends at 2,000",
        "made: image ids 2,000 to 2,999",
    ]
    assert render_partitions_json(made)["made"] == [{"low": 2000, "high": 3000}]
    assert "all partitions are there" in render_partitions_text(PartitionOutcome(1500, None, [], dry_run=True))


def test_a_repair_says_what_it_published_and_what_was_stale() -> None:
    jobs = RepublishedJobs(images=3, by_service=Counter(clip=3, ocr=2), waiting_by_service={"clip": 7, "ocr": 0})
    outcome = RepairOutcome(jobs, dry_run=False, interrupted=True, stale_images={"merge": 4})
    text = render_repair_text(outcome)
    assert "published 5 jobs for 3 images\nmerge: 4 images were stale without a mark\n" in text
    assert text.endswith("interrupted; the same command does the rest\n")
    document = render_repair_json(outcome)
    assert (document["jobs"], document["waiting_by_service"]) == (5, {"clip": 7, "ocr": 0})


def test_a_repair_of_derived_rows_alone_has_no_jobs() -> None:
    outcome = RepairOutcome(None, dry_run=True, interrupted=False, stale_images={"merge": 0})
    assert "jobs" not in render_repair_json(outcome)
    assert "publish" not in render_repair_text(outcome)


def test_a_queue_that_was_read_in_part_is_named() -> None:
    listing = DeadLetterListing(held={"clip": 12_000, "ocr": 5}, looked_at={"clip": 10_000, "ocr": 5})
    assert render_unread(SETTINGS, listing) == ["queue_clip.failed holds 12,000; looked at the first 10,000 (--scan)"]


@pytest.mark.parametrize(("count", "text"), [(0, "0 B"), (1023, "1023 B"), (1024, "1.0 KiB"), (3 * 2**40, "3.0 TiB")])
def test_bytes_are_shown_in_the_largest_unit_that_fits(count: int, text: str) -> None:
    assert render_bytes(count) == text


def test_an_unknown_eta_stays_unknown() -> None:
    assert render_eta(None) is None
    assert render_eta(90) == "1m30s"


def test_text_from_elsewhere_stays_on_one_line_and_cannot_control_the_terminal() -> None:
    assert render_printable("a\n b\x1b[2J", "?") == "a b?[2J"
