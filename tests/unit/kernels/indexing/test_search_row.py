"""The search row: what is kept of answers, boxes and the vote."""

from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from windmill.kernels.indexing.camera_facts import CameraFacts, camera_facts
from windmill.kernels.indexing.colour_names import COLOURS, colour_name, colours_of
from windmill.kernels.indexing.search_row import MOST_LABELS, MOST_TEXT, SearchInputs, search_row
from windmill.kernels.text.folding import fold

JSON = st.recursive(
    st.none() | st.booleans() | st.floats(allow_nan=False) | st.text(max_size=8),
    lambda some: st.lists(some, max_size=4) | st.dictionaries(st.sampled_from(
        ["label", "text", "confidence", "palette", "primary", "hex", "votes", "consensus", "said_yes", "exif_data",
         "dimensions", "width", "phash", "nsfw", "Make", "DateTimeOriginal", "bbox", "emoji", "predictions"]
    ), some, max_size=5),
    max_leaves=20,
)  # fmt: skip
OBJECTS = st.dictionaries(st.sampled_from(["predictions", "votes", "label", "confidence"]), JSON)


def row_of(*predictions: dict[str, Any], **inputs: Any) -> Any:  # noqa: ANN401 - the row, whose fields vary
    return search_row(SearchInputs({"some": {"predictions": list(predictions)}}, **inputs))


def test_a_label_has_the_best_of_its_probabilities_and_unlikely_ones_are_left_out() -> None:
    boxes = [
        {"label": "Dog", "confidence": 0.7},
        {"label": "dog", "confidence": 0.9},
        {"label": "cat", "confidence": 0.2},
    ]
    said = [{"service": "clip", "word": "golden_retriever"}, {"service": "yolov8", "word": "dog"}]
    vote = {"votes": {"consensus": [{"emoji": "\N{DOG FACE}", "probability": 0.8, "said_yes": said}]}}
    classifier = {"label": "Beach", "confidence": 0.5}
    with_emoji = {"label": "bus", "emoji": "\N{BUS}", "confidence": 0.9}
    row = row_of(classifier, with_emoji, boxes=boxes, vote=vote)
    assert row.labels == {"dog": 900, "\N{DOG FACE}": 800, "golden retriever": 800, "beach": 500}
    assert list(row.labels) == ["dog", "golden retriever", "\N{DOG FACE}", "beach"]


@pytest.mark.parametrize(
    ("boxes", "crops", "whole", "persons", "faces"),
    [
        (None, None, 0, None, None),
        ([], None, 0, 0, 0),
        (["person"], None, 0, 1, None),
        (["person", "human", "dog"], [1, 0], 0, 2, 1),
        (["person"], [1], 3, 1, 3),
    ],
)
def test_persons_and_faces_are_counted_and_unknown_while_nobody_looked(
    boxes: list[str] | None, crops: list[int] | None, whole: int, persons: int | None, faces: int | None
) -> None:
    face = {"label": "face", "confidence": 0.9, "bbox": [1, 2, 3, 4]}
    found = row_of(
        *[face] * whole,
        boxes=None if boxes is None else [{"label": one, "confidence": 0.6} for one in boxes],
        faces_in_crops=None if crops is None else [{"predictions": [face] * one} for one in crops],
    )
    assert (found.persons, found.faces) == (persons, faces)


def test_text_is_folded_kept_once_and_bounded() -> None:
    row = row_of(
        {"text": " Ein  CAFÉ\0"}, {"text": "ein cafe"}, {"text": "Straße", "has_text": True}, {"text": "x" * 9_000}
    )
    assert row.text.startswith("ein cafe | strasse | xxx")
    assert len(row.text) == MOST_TEXT


@pytest.mark.parametrize(
    ("colour", "name"),
    [
        ("#c8202f", "red"), ("#f0843a", "orange"), ("#f9e43c", "yellow"), ("#4fa658", "green"), ("#2f5fae", "blue"),
        ("#6b5ca8", "purple"), ("#e980a6", "pink"), ("#4b3626", "brown"), ("#8f8f8f", "grey"), ("#1b1c1e", "black"),
        ("#f6f7f8", "white"), ("#zz0000", None), (7, None),
    ],
)  # fmt: skip
def test_a_colour_is_called_as_people_call_it(colour: object, name: str | None) -> None:
    assert colour_name(colour) == name


@given(st.integers(0, 0xFFFFFF))
def test_every_colour_has_a_name(value: int) -> None:
    assert colour_name(f"{value:06x}") in COLOURS


def test_of_a_palette_the_first_colours_are_kept() -> None:
    entries = [{"hex": one} for one in ("#c8202f", "#c8202f", "#f9e43c", "#4fa658", "#2f5fae", "#1b1c1e")]
    assert colours_of([{"primary": entries[0], "palette": {"colors": entries}}]) == ("red", "yellow", "green", "blue")


def test_camera_time_and_hash_are_read_and_times_of_files_are_not_times_of_pictures() -> None:
    exif = {"EXIF:Make": "Canon", "Model": "Canon EOS 5D", "DateTimeOriginal": "2024:05:17 10:00:00+02:00"}
    told = {"dimensions": {"width": 4, "height": 3}, "phash": "ffffffffffffffff", "exif_data": exif}
    assert camera_facts([told]) == CameraFacts(datetime(2024, 5, 17, 8, tzinfo=UTC), "canon eos 5d", -1, (4, 3))
    assert camera_facts([{"exif_data": {"File:FileModifyDate": "2024:05:17 10:00:00"}}]).taken is None
    assert camera_facts([{"exif_data": {"DateTimeOriginal": "0000:00:00 00:00:00"}}]).taken is None


@given(st.dictionaries(st.text(max_size=3), OBJECTS, max_size=3), st.none() | st.lists(OBJECTS, max_size=3), OBJECTS)
def test_whatever_services_answer_makes_a_row_that_can_be_stored(
    answers: dict[str, Any], boxes: list[Any] | None, vote: dict[str, Any]
) -> None:
    row = search_row(SearchInputs(answers, boxes, vote, boxes))
    assert len(row.labels) <= MOST_LABELS
    assert all(label and 300 <= chance <= 1_000 for label, chance in row.labels.items())
    for text in (row.text, *row.labels, row.camera or ""):
        assert "\0" not in text
        text.encode()


@given(st.text())
def test_folding_again_changes_nothing(text: str) -> None:
    assert fold(fold(text)) == fold(text)
