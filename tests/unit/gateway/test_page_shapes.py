"""What pages of images show, out of what is known."""

from dataclasses import replace
from datetime import UTC, datetime
from typing import Any, get_args

import pytest

from gateway.pages.images.layers import drawing, told_of
from gateway.pages.images.tiles import FORMATS, Asked, Moment, Total, facet_views, gallery_view
from gateway.pages.images.views import PlaceInList, inspector_view
from windmill.kernels.query.matching import Reason
from windmill.operate.inspection.answers import awaited_answer
from windmill.operate.inspection.boxes import BoxMember, InspectedBox, Place, RivalLabel, SourceBox
from windmill.operate.inspection.gallery import GalleryImage, by_doubt
from windmill.operate.inspection.reading import Inspection, Neighbours, Without
from windmill.operate.search.facets import Facets
from windmill.pipelines.export.form import ExportFormat

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
    assert Asked(similar=7).url(by="clip") == Asked(similar=7, by="clip").url() == "/ui/images?similar=7&by=clip"


def test_every_format_of_an_export_is_offered() -> None:
    assert {one for one, _ in FORMATS} == set(get_args(ExportFormat))


def test_a_tile_of_a_frame_leads_to_its_second_in_the_video() -> None:
    group = "job-6a4d6d36-7090-40e7-ad07-6f052d7157f9"
    frame = replace(image(7), group=group, name="frame_000050_2.00s-0123456789ab")
    moments = [one.moment for one in gallery_view([frame, image(8)], Asked(), None, first=True, why={}).tiles]
    assert moments == [Moment(2.0, "/ui/jobs/6a4d6d36-7090-40e7-ad07-6f052d7157f9/watch?at=2.00"), None]
