"""What pages of images, jobs and new jobs show, out of what is known."""

import json
import shlex
from datetime import UTC, datetime
from typing import Any

import pytest

from gateway.pages.compose.fields import fields_of, filled, read_values
from gateway.pages.compose.views import mistakes_of_fields
from gateway.pages.images.layers import drawing, told_of
from gateway.pages.images.tiles import Asked, Total, facet_views, gallery_view
from gateway.pages.images.views import PlaceInList, inspector_view
from gateway.pages.jobs.bulk_views import BulkAsked, BulkPreviewView
from gateway.pages.jobs.lanes import chart
from gateway.pages.jobs.listing import OPEN, JobFilters
from gateway.pages.request_examples import job_request
from gateway.pages.videos.views import watch_view
from windmill.core.errors import WindmillError
from windmill.kernels.query.matching import Reason
from windmill.kernels.text.json_readers import DocumentInvalid, Mistake
from windmill.operate.inspection.answers import awaited_answer
from windmill.operate.inspection.boxes import BoxMember, InspectedBox, Place, RivalLabel, SourceBox
from windmill.operate.inspection.gallery import GalleryImage, by_doubt
from windmill.operate.inspection.reading import Inspection, Neighbours, Without
from windmill.operate.jobs.timeline import Bar, Timeline, TimelineStep, TimelineTask
from windmill.operate.jobs.watched_video import VideoFile, WatchedVideo
from windmill.operate.jobs.whole_job import WholeJob
from windmill.operate.search.facets import Facets
from windmill.pipelines.presets.preset import Preset
from windmill.pipelines.values import ValueSpec

DOG = InspectedBox(
    "k",
    "dog",
    "🐕",
    0.9,
    Place(10, 2, 50, 40),
    (BoxMember("yolov8", "dog", 0.88, 0.95),),
    ("rtdetr",),
    (RivalLabel("cat", "🐈", 0.1, ("rtdetr",)),),
)


def inspection(*sources: SourceBox, size: tuple[int, int] | None = (550, 300), **more: Any) -> Inspection:  # noqa: ANN401 - fields
    return Inspection(7, 7, "dog.jpg", "g", "/p/dog.jpg", None, size, sources, (DOG,), None, {}, (), (), **more)


def source(service: str, label: str = "dog") -> SourceBox:
    return SourceBox(service, label, "", 0.5, Place(0, 0, 20, 20))


def test_every_detector_is_a_layer_with_a_look_of_its_own_and_merged_boxes_are_on_top() -> None:
    drawn = drawing(inspection(source("rtdetr", "cat"), source("yolov8")))
    assert drawn is not None
    assert [(one.key, one.name, one.boxes) for one in drawn.layers] == [
        ("m", "merged", 1), ("0", "rtdetr", 1), ("1", "yolov8", 1),
    ]  # fmt: skip
    assert [one.layer for one in drawn.boxes] == ["0", "1", "m"]
    assert [(one.key, one.name, one.boxes) for one in drawn.labels] == [("0", "dog", 2), ("1", "cat", 1)]


def test_names_stand_above_a_box_or_inside_where_there_is_no_room() -> None:
    drawn = drawing(inspection())
    assert drawn is not None
    assert drawn.letter == 10
    assert drawn.boxes[0].name_y == 13


def test_more_detectors_than_looks_share_the_last_one() -> None:
    drawn = drawing(inspection(*(source(f"s{number}") for number in range(10))))
    assert drawn is not None
    assert drawn.layers[-1].name == "s7, s8, s9"


def test_nothing_is_drawn_while_nobody_knows_the_size() -> None:
    assert drawing(inspection(size=None)) is None


def test_a_merged_box_is_told_with_members_silence_and_rivals() -> None:
    assert told_of(DOG).splitlines() == [
        "dog 0.90, merged of:",
        "yolov8 0.88, IoU 0.95",
        "silent: rtdetr",
        "rival: cat 0.10 by rtdetr",
    ]


def test_whoever_goes_on_stays_in_the_group_and_in_the_preview() -> None:
    place = PlaceInList(Neighbours(None, 6), "a b")
    without = Without(("clip",), (), 1, 1)
    view = inspector_view(inspection(without=without), "dog.jpg", place, ["clip"], "")
    assert (view.previous_url, view.next_url) == ("", "/ui/images/6?group=a+b&without=clip")
    assert view.stored_url == "/ui/images/7?group=a+b"


def test_boxes_that_are_not_those_that_are_seen_have_changed() -> None:
    place = PlaceInList(Neighbours(None, None))
    first = inspector_view(inspection(), None, place, [])
    assert not first.changed
    assert not inspector_view(inspection(), None, place, [], first.digest).changed
    assert inspector_view(inspection(source("clip")), None, place, [], first.digest).changed


def test_the_sentence_of_an_image_names_who_is_awaited() -> None:
    known = Inspection(7, 7, "a", None, None, None, None, (), (), None, {}, (awaited_answer("ollama"),), ())
    view = inspector_view(known, None, PlaceInList(Neighbours(None, None)), [])
    assert view.lede == "0 of 1 services have answered; ollama is awaited"


def image(number: int, **more: Any) -> GalleryImage:  # noqa: ANN401 - fields
    known = {"answered": 3, "failed": 0, "voted": True, "votes": (), "doubt": 0.5, **more}
    return GalleryImage(number, "a.jpg", None, None, None, None, datetime(2026, 11, 28, tzinfo=UTC), **known)


def test_a_tile_tells_why_it_was_found_and_leads_to_the_image_within_the_search() -> None:
    asked = Asked("label:dog", "", "doubt")
    why = {7: [Reason("label", "dog", 0.93), Reason("faces", "2")]}
    view = gallery_view([image(7)], asked, "c", first=True, why=why, total=Total(10_000, "at_least"))
    assert view.tiles[0].why == ("dog .93", "faces 2")
    assert view.tiles[0].url == "/ui/images/7?query=label%3Adog"
    assert view.lede.startswith("10,000+ images, of the 500 newest")
    assert (view.next_url, view.first_url) == ("/ui/images?query=label%3Adog&sort=doubt&cursor=c", "")
    assert (Total(1, "exact").words, Total(70, "about").words) == ("1 image", "about 70 images")


@pytest.mark.parametrize(
    ("more", "word"), [({}, "3 answers"), ({"failed": 2}, "2 failed"), ({"answered": 0}, "no answer yet")]
)
def test_a_tile_says_how_far_services_are(more: dict[str, Any], word: str) -> None:
    assert gallery_view([image(7, **more)], Asked(), None, first=True, why={}).tiles[0].state.word == word


def test_images_on_which_services_disagree_most_come_first() -> None:
    assert [one.image_id for one in by_doubt([image(1), image(2, doubt=0.9), image(3, doubt=None)])] == [2, 1, 3]


def test_facets_narrow_down_the_query_or_leave_a_value_out() -> None:
    found = Facets({"label": [("dog", 5)], "year": [("2024", 2)], "camera": []}, 10_000, sampled=True)
    label, year = facet_views(found, Asked("a OR b"))
    assert (label.field, label.sampled, label.lines[0].images) == ("label", 10_000, 5)
    assert label.lines[0].url == "/ui/images?query=%28a+OR+b%29+label%3Adog"
    assert label.lines[0].not_url == "/ui/images?query=%28a+OR+b%29+-label%3Adog"
    assert year.lines[0].url.endswith("taken%3A2024")
    assert Asked(similar=7).url() == "/ui/images?similar=7"


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
    assert (drawn.now, drawn.axis[-1], drawn.lanes[0].state.word) == (500, "10\u00a0s", "1 of 2")


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


def test_segments_stand_side_by_side_with_the_state_of_each() -> None:
    strip = watch_view(watched(step(shard(0), shard(1, "running"))), "").strip
    assert strip is not None
    assert [(one.number, one.look, one.x) for one in strip.segments] == [(1, "done", 0), (2, "running", 500)]
    assert (strip.done, strip.planned) == (1, 2)
    assert watch_view(watched(), "").strip is None
