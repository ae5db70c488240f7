"""What pages are given to show."""

from datetime import UTC, datetime

from gateway.pages.audit.changes import changes_of
from gateway.pages.code_words import NO_CODE, code_words
from gateway.pages.failures.views import failures_view
from gateway.pages.overview.views import overview_view, totals_of
from tests.unit.operate.test_fleet_condition import step, worker
from windmill.core.error_codes import ERROR_CODES
from windmill.core.wanted_states import WantedState
from windmill.operate.dead_letters.dead_letter import DeadLetter
from windmill.operate.dead_letters.listing import DeadLetterListing
from windmill.operate.dead_letters.muting import MutedFailure
from windmill.operate.status.figures import FleetStatus, ServiceStatus


def parked(service: str, code: str | None, hour: int) -> DeadLetter:
    failed_at = datetime(2026, 5, 12, hour, tzinfo=UTC)
    return DeadLetter(service, b"{}", {}, 1, code, "no", None, failed_at, 4, 0)


def test_failures_are_grouped_by_code_and_service_the_newest_first() -> None:
    jobs = [parked("clip", "SERVICE_TIMEOUT", 1), parked("clip", "SERVICE_TIMEOUT", 5), parked("face", None, 7)]
    found = DeadLetterListing(jobs, held={"clip": 9, "face": 1}, looked_at={"clip": 2, "face": 1})
    for one in jobs:
        found.counts[one.service, one.code] += 1
    view = failures_view(found, ["clip", "face"], "", "")
    assert [(one.key, one.jobs) for one in view.groups] == [("face-none", 1), ("clip-SERVICE_TIMEOUT", 2)]
    clip = view.groups[1]
    assert (clip.first, clip.last, clip.example) == (jobs[0].failed_at, jobs[1].failed_at, jobs[1])
    assert (view.parked, view.looked_at) == (10, 3)


def test_an_example_is_shown_where_the_remedy_speaks_of_its_message() -> None:
    found = DeadLetterListing([parked("clip", "CONFIG_INVALID", 1), parked("face", "SERVICE_TIMEOUT", 7)])
    for one in found.jobs:
        found.counts[one.service, one.code] += 1
    groups = failures_view(found, ["clip", "face"], "", "").groups
    assert {one.service: one.refers_to_message for one in groups} == {"clip": True, "face": False}


def test_what_is_muted_is_listed_apart_with_what_is_parked_of_it() -> None:
    found = DeadLetterListing([parked("clip", "SERVICE_TIMEOUT", 1), parked("face", None, 7)])
    for one in found.jobs:
        found.counts[one.service, one.code] += 3
    noon = datetime(2026, 5, 12, 12, tzinfo=UTC)
    muted = [MutedFailure("face", "", None, "known", "ann", noon), MutedFailure("ocr", "USAGE", noon, "", "bob", noon)]
    view = failures_view(found, ["clip", "face", "ocr"], "", "", muted)
    assert [one.key for one in view.groups] == ["clip-SERVICE_TIMEOUT"]
    assert [(one.muted.service, one.jobs) for one in view.muted] == [("face", 3), ("ocr", 0)]


def test_a_remedy_is_that_of_the_code_word_for_word() -> None:
    assert code_words("SERVICE_TIMEOUT") == ("service", ERROR_CODES["SERVICE_TIMEOUT"].remedy)
    assert code_words("EATEN") == code_words(None) == ("", NO_CODE)


def test_an_entry_of_the_audit_log_tells_what_is_different() -> None:
    changed = changes_of({"paused": False, "reason": "", "n": 1}, {"paused": True, "reason": "GPU", "n": 1})
    assert [(one.field, one.before, one.after) for one in changed] == [
        ("paused", "false", "true"), ("reason", "", "GPU"),
    ]  # fmt: skip
    made = changes_of(None, {"name": "x", "revoked": False, "jobs": 0, "ends": None})
    assert [(one.field, one.after) for one in made] == [("name", "x")]
    assert changes_of({"jobs": 3}, None)[0].before == "3"
    assert changes_of(None, None) == []
    assert len(changes_of(None, {"text": "x" * 999})[0].after) == 160


def test_totals_are_unknown_only_where_nobody_knows() -> None:
    known = totals_of([ServiceStatus("a", 5, 1, queued=2), ServiceStatus("b", queued=None)])
    assert (known.done, known.waiting, known.running, known.settled, known.whole) == (5, 2, None, 6, 8)
    assert (known.share(2), totals_of([]).share(1)) == (250, 0)


def test_the_overview_tells_in_a_sentence_what_stands_in_the_way() -> None:
    ill, paused = ServiceStatus("a", breaker="open"), ServiceStatus("b")
    status = FleetStatus(1, [ill, paused], wanted=[WantedState("b", paused=True, reason="GPU", owner="ann")])
    view = overview_view(status, [worker(host="k1"), worker(host="k2", lost=True)], lambda _: [])
    assert view.lede == "1 image is registered. 1 of 2 services needs a hand. 1 is paused."
    assert [(one.state.word, one.pausable, one.spark) for one in view.services] == [
        ("away", True, None), ("paused", False, None),
    ]  # fmt: skip
    assert view.services[1].note == "by ann: \u201cGPU\u201d"
    assert [(one.name, one.state.word, one.calls) for one in view.hosts] == [("k1", "idle", 2), ("k2", "lost", 0)]
    calm = overview_view(FleetStatus(2, [ServiceStatus("c")]), [], lambda _: [0.0, 1.5])
    assert calm.lede == "2 images are registered. Nothing stands in the way."
    assert calm.services[0].spark
    assert "at the end 1.5" in calm.services[0].spark.label


def test_a_step_is_done_at_the_rate_of_its_workers() -> None:
    status = FleetStatus(0, [], steps=[step(claimable=9, running=1, workers=1), step(step="idle")])
    view = overview_view(status, [worker(service="cut", rate=0.5)], lambda _: [])
    [line] = view.steps
    assert (list(view.busy_steps), list(view.idle_steps)) == ([line], [])
    assert (line.waiting, line.rate, line.eta_seconds) == (9, 0.5, 20.0)
