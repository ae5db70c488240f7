"""What pages of jobs, of new ones and of videos show, out of what is known."""

import json
import shlex
from typing import Any

import pytest

from gateway.pages.compose.fields import fields_of, filled, read_values
from gateway.pages.compose.views import mistakes_of_fields
from gateway.pages.jobs.bulk_views import BulkAsked, BulkPreviewView
from gateway.pages.jobs.lanes import chart, ticks
from gateway.pages.jobs.listing import OPEN, JobFilters
from gateway.pages.request_examples import job_request
from gateway.pages.videos.views import watch_view
from windmill.core.errors import WindmillError
from windmill.kernels.text.json_readers import DocumentInvalid, Mistake
from windmill.operate.jobs.timeline import Bar, Timeline, TimelineStep, TimelineTask
from windmill.operate.jobs.watched_video import VideoFile, WatchedVideo
from windmill.operate.jobs.whole_job import WholeJob
from windmill.pipelines.presets.preset import Preset
from windmill.pipelines.values import ValueSpec

SPECS = {
    "prompt": ValueSpec("text", "What it shows", required=True, max_length=2_000, examples=("a lighthouse",)),
    "title": ValueSpec("text", max_length=80),
    "steps": ValueSpec("integer", minimum=1, maximum=9, default=4),
    "loud": ValueSpec("boolean", default=True),
    "style": ValueSpec("choice", choices=("manga", "anime")),
    "seed": ValueSpec("seed"),
    "faces": ValueSpec("images", max_items=3),
    "clip": ValueSpec("video"),
}
PRESET = Preset("p_v1", 1, "P", "image_generation", SPECS, ())


def test_a_form_has_a_field_for_each_input_with_its_limits() -> None:
    fields = {one.name: one for one in fields_of(PRESET)}
    assert [one.control for one in fields.values()] == [
        "text", "line", "number", "tick", "choice", "number", "files", "file",
    ]  # fmt: skip
    assert fields["prompt"].hint == "What it shows: text of 0 to 2000 characters"
    assert (fields["steps"].minimum, fields["steps"].maximum, fields["steps"].value) == (1, 9, "4")
    assert (fields["loud"].value, fields["faces"].accept, fields["clip"].accept) == ("true", "image/*", "video/*")


def test_what_fields_hold_becomes_typed_values_and_empty_ones_are_not_given() -> None:
    texts = {
        "prompt": ["  a\r\nb "], "title": [""], "steps": ["5"], "seed": ["x1"],
        "faces": ["f1", "f2 f3"], "clip": ["", "c"],
    }  # fmt: skip
    assert read_values(PRESET, texts) == {
        "prompt": "a\nb", "steps": 5, "loud": False, "seed": "x1", "faces": ["f1", "f2", "f3"], "clip": "c",
    }  # fmt: skip


def test_a_form_comes_back_with_what_was_given_and_what_is_wrong_at_its_field() -> None:
    error = WindmillError("USAGE", "two mistakes")
    error.__cause__ = DocumentInvalid([Mistake("steps", 20, "must be less"), Mistake("faces[1]", "x", "must be an id")])
    mistakes = mistakes_of_fields(error, list(SPECS))
    assert mistakes == {"steps": "must be less", "faces": "must be an id"}
    fields = {one.name: one for one in filled(fields_of(PRESET), {"steps": 20, "faces": ["a", "b"]}, mistakes)}
    assert (fields["steps"].value, fields["steps"].mistake) == ("20", "must be less")
    assert (fields["faces"].value, fields["loud"].value) == ("a b", "")
    assert mistakes_of_fields(WindmillError("USAGE", "no"), list(SPECS)) == {}


def test_a_request_is_told_so_that_a_shell_reads_it_as_it_is() -> None:
    body = {"preset": "p", "inputs": {"prompt": 'it\'s "new"'}, "quality": "pro"}
    told = job_request("http://h:1/", body, with_key=True)
    words = shlex.split(told.curl)
    assert json.loads(words[words.index("-d") + 1]) == body
    assert words[1] == "http://h:1/jobs"
    assert "Authorization: Bearer $WINDMILL_KEY" in words
    compile(told.python, "example", "exec")
    assert "quality='pro'" in told.python
    assert "WINDMILL_KEY" not in job_request("http://h:1", body, with_key=False).curl


def test_filters_stand_in_the_address_and_open_is_every_state_that_goes_on() -> None:
    filters = JobFilters("open", "film", "")
    assert filters.url(cursor="c") == "/ui/jobs?status=open&preset=film&cursor=c"
    assert filters.statuses == OPEN
    assert "succeeded" not in OPEN
    assert (filters.words, JobFilters().words, JobFilters().statuses) == ("open jobs of film", "jobs", None)


def test_a_question_about_many_jobs_names_the_number() -> None:
    view = BulkPreviewView(BulkAsked("cancel", None, "queued"), 1_204, "/ui/jobs")
    assert (view.title, view.chosen) == ("Cancel 1,204 jobs", "all queued jobs")
    assert view.asked.request.filter.statuses == ("queued",)
    assert BulkPreviewView(BulkAsked("retry", ()), 1, "").title == "Retry 1 job"


def step(*tasks: TimelineTask, status: str = "running", planned: int = 2) -> TimelineStep:
    return TimelineStep("cut", status, None, planned, 1, 0, 0, 4.0, Bar("running", 0, 5), tasks)


def shard(number: int, status: str = "succeeded", failures: tuple[float, ...] = (), attempt: int = 1) -> TimelineTask:
    bars = (Bar("waiting", 0, 2.5), Bar("running", 2.5, 5))
    return TimelineTask(number, status, bars, failures, 2.5, 2.5, attempt, "k1", 0.0, None, last=False)


def test_lanes_are_a_thousand_units_wide_and_a_failed_try_is_marked() -> None:
    drawn = chart(Timeline(10, 5, (step(shard(0), shard(1, failures=(2.5,), attempt=2)),)))
    assert [one.name for one in drawn.lanes] == ["cut", "shard 1", "shard 2"]
    assert [(bar.look, bar.x, bar.width) for bar in drawn.lanes[1].bars] == [
        ("waiting", 0, 250), ("running", 250, 250),
    ]  # fmt: skip
    assert (drawn.lanes[2].failures, drawn.lanes[2].state.word) == ((250,), "done at try 2")
    assert (drawn.now, drawn.axis[-1].said, drawn.lanes[0].state.word) == (500, "10\u00a0s", "1 of 2")


@pytest.mark.parametrize(
    ("seconds", "said"),
    [
        (0.556, ["0\u00a0s", "200\u00a0ms", "400\u00a0ms"]),
        (10, ["0\u00a0s", "2\u00a0s", "4\u00a0s", "6\u00a0s", "8\u00a0s", "10\u00a0s"]),
        (4_000, ["0\u00a0s", "15\u00a0min", "30\u00a0min", "45\u00a0min", "1\u00a0h"]),
    ],
)
def test_times_of_the_axis_are_round(seconds: float, said: list[str]) -> None:
    assert [one.said for one in ticks(seconds)] == said


def test_a_step_that_nobody_has_begun_waits() -> None:
    lane = chart(Timeline(10, 5, (step(shard(0, "queued"), shard(1, "queued")),))).lanes[0]
    assert (lane.state.word, lane.bars[0].look) == ("waits", "waiting")


def test_a_step_of_one_shard_that_went_well_is_one_lane() -> None:
    assert len(chart(Timeline(10, None, (step(shard(0), status="succeeded", planned=1),))).lanes) == 1


@pytest.mark.parametrize("status", ["failed", "cancelled", "skipped"])
def test_a_step_that_did_not_go_well_says_so(status: str) -> None:
    assert chart(Timeline(10, None, (step(status=status),))).lanes[0].state.word == status


def whole_job(*steps: TimelineStep) -> WholeJob:
    told = {
        "public_id": "6a4d6d36-7090-40e7-ad07-6f052d7157f9", "preset": "annotate_video_v1", "kind": "preset",
        "status": "running", "progress": 0.5, "priority": 0, "principal": "", "error_code": None, "message": None,
        "created_at": "2026-11-28T09:00:00+00:00", "started_at": None, "ended_at": None,
    }  # fmt: skip
    return WholeJob(told, Timeline(10, 5, steps), ())


CLIP, DRAWN = VideoFile("clip.mp4", "video/mp4", "a" * 64), VideoFile("video.mp4", "video/mp4", "b" * 64)
TRACKS = VideoFile("tracks.json", "application/json", "c" * 64)
SEEN = {"seconds": 10, "labels": {"dog": [[0, 1]], "person": [[2, 6], [8, 10]]}}


def watched(*steps: TimelineStep, **more: Any) -> WatchedVideo:  # noqa: ANN401 - fields
    known = {"source": CLIP, "result": None, "poster": None, "tracks": None, "cues": None, "timeline": {}, "stats": {},
             "grows": False, **more}  # fmt: skip
    return WatchedVideo(job=whole_job(*steps), **known)


def test_boxes_are_drawn_over_what_was_given_and_not_over_a_result_that_has_them() -> None:
    video = watched(result=DRAWN, tracks=TRACKS)
    first = watch_view(video, "")
    assert (first.player.key, first.tracks_url) == ("source", f"/artifacts/{'c' * 64}/content")
    second = watch_view(video, "result")
    assert (second.player.key, second.player.url, second.tracks_url) == ("result", f"/artifacts/{'b' * 64}/content", "")
    assert watch_view(video, "growing").player.key == "source"


def test_a_video_that_is_being_made_is_played_as_far_as_it_is() -> None:
    view = watch_view(watched(grows=True), "")
    assert [one.key for one in view.choices] == ["source", "growing"]
    assert view.player.url.endswith("/playlist.m3u8")


def test_what_is_seen_longest_stands_first_with_its_spans_on_a_lane() -> None:
    stats = {"detection_stats": {"person": 30}, "track_stats": {"person": 2}, "failed_frames": 1}
    view = watch_view(watched(timeline=SEEN, stats=stats), "")
    person, dog = view.seen
    assert (person.label, person.detections, person.things, dog.things) == ("person", 30, 2, None)
    assert [(one.x, one.width) for one in person.spans] == [(200, 400), (800, 200)]
    assert (view.seconds, view.failed_frames) == (10, 1)
    assert watch_view(watched(timeline={"labels": {"x": "y"}}), "").seen[0].spans == ()


def test_a_video_begins_at_the_second_that_somebody_came_for() -> None:
    assert watch_view(watched(), "", 4.1).begins == "#t=4.10"
    assert watch_view(watched(), "").begins == ""


def test_segments_stand_side_by_side_with_the_state_of_each() -> None:
    strip = watch_view(watched(step(shard(0), shard(1, "running"))), "").strip
    assert strip is not None
    assert [(one.number, one.look, one.x) for one in strip.segments] == [(1, "done", 0), (2, "running", 500)]
    assert (strip.done, strip.planned) == (1, 2)
    assert watch_view(watched(), "").strip is None
