"""What merging promises for any detections."""

import json
import random
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.unit.detecting import CALIBRATION, SERVICES, any_answers, moved, seen
from tests.unit.hostile_replies import any_json, any_object, any_text, steady
from windmill.kernels.boxes.box_calibration import BoxCalibration
from windmill.kernels.boxes.detections import MAX_DETECTIONS
from windmill.kernels.boxes.fusion import ALGORITHM, Merged, MergedBox, merge

PERSON, COUCH, TIE = (100, 50, 80, 200), (60, 120, 260, 150), (130, 90, 12, 40)
Answers = dict[str, list[dict[str, Any]]]


def labels(merged: Merged) -> list[str]:
    return [box.label for box in merged.boxes]


def only(merged: Merged) -> MergedBox:
    (box,) = merged.boxes
    return box


def stored(merged: Merged) -> str:
    return json.dumps([[box.as_data() for box in merged.boxes], merged.dropped], ensure_ascii=False)


def everyone(*predictions: dict[str, Any]) -> Answers:
    return {service: list(predictions) for service in SERVICES}


@pytest.mark.parametrize("answers", [{}, {"yolov8": []}, {"yolov8": [], "rtdetr": []}])
def test_nothing_seen_is_nothing_merged(answers: Answers) -> None:
    assert merge(answers, CALIBRATION, (640, 480)) == Merged([], {})


def test_three_services_that_see_one_thing_make_one_box_of_all_three() -> None:
    answers = {
        "detectron2": [seen("Cup", (12, 10, 40, 40), 0.9)],
        "rtdetr": [seen("cup", (10, 11, 40, 42), 0.6, emoji="☕")],
        "yolov8": [seen("cup", (9, 10, 41, 40), 0.8)],
    }
    box = only(merge(answers, CALIBRATION, (640, 480)))
    assert box.as_data() == {
        "cluster_id": "cup_1",
        "emoji": "☕",
        "label": "cup",
        "merged_bbox": {"x": 10, "y": 10, "width": 40, "height": 41},
        "detection_count": 3,
        "avg_confidence": 0.767,
        "contributing_services": ["detectron2", "rtdetr", "yolov8"],
        "detections": [
            {"service": "detectron2", "confidence": 0.9},
            {"service": "rtdetr", "confidence": 0.6},
            {"service": "yolov8", "confidence": 0.8},
        ],
        "harmonization_algorithm": ALGORITHM,
        "confidence": box.confidence,
        "silent_services": [],
        "rivals": [],
        "rival_of": "",
    }
    assert 0.9 < box.confidence < 1


@pytest.mark.parametrize("place", [(100, 50, 80, 200), (-20, -3, 700, 90), (0, 0, 1, 1), (639, 479, 40, 40)])
def test_a_lone_box_stays_where_it_is(place: tuple[int, int, int, int]) -> None:
    answers = {"rtdetr": [seen("cup", place, 0.31)], "yolov8": []}
    assert only(merge(answers, CALIBRATION)).box == place


def test_a_box_that_leaves_the_image_is_cut_off_where_the_size_is_known() -> None:
    answers = {"yolov8": [seen("cup", (-20, 400, 700, 90))]}
    assert only(merge(answers, CALIBRATION, (640, 480))).box == (0, 400, 640, 80)


def test_a_lone_box_is_kept_however_many_do_not_see_it() -> None:
    box = only(merge({"detectron2": [], "rtdetr": [seen("cup", PERSON, 0.25)], "yolov8": []}, CALIBRATION))
    assert box.silent_services == ("detectron2", "yolov8")
    assert 0 < box.confidence < 0.5


def test_silence_counts_against_a_box_only_from_a_service_that_answered_and_could_have_said_it() -> None:
    dog = [seen("dog", PERSON)]
    alone = only(merge({"rtdetr": dog}, CALIBRATION))
    unable = only(merge({"rtdetr": dog, "detectron2": []}, CALIBRATION))
    denied = only(merge({"rtdetr": dog, "yolov8": []}, CALIBRATION))
    assert alone.silent_services == unable.silent_services == ()
    assert unable.confidence == alone.confidence > denied.confidence
    assert denied.silent_services == ("yolov8",)


def test_silence_about_a_small_thing_counts_less() -> None:
    small, large = [seen("cup", (9, 9, 12, 12))], [seen("cup", (9, 9, 200, 200))]
    assert (
        only(merge({"rtdetr": small}, CALIBRATION)).confidence == only(merge({"rtdetr": large}, CALIBRATION)).confidence
    )
    denied = [only(merge({"rtdetr": one, "yolov8": []}, CALIBRATION)).confidence for one in (small, large)]
    assert denied[0] > denied[1]


def test_different_things_that_lie_in_each_other_stay_apart() -> None:
    merged = merge(everyone(seen("person", PERSON), seen("couch", COUCH), seen("tie", TIE)), CALIBRATION)
    assert sorted(labels(merged)) == ["couch", "person", "tie"]
    assert all(box.confidence > 0.9 and not box.rivals for box in merged.boxes)


def test_different_things_on_the_same_pixels_stay_apart_where_two_services_see_both() -> None:
    merged = merge(everyone(seen("person", PERSON), seen("couch", PERSON)), CALIBRATION)
    assert sorted(labels(merged)) == ["couch", "person"]


def test_two_names_for_one_thing_are_decided_by_vote_and_the_other_is_ranked_below() -> None:
    car, truck = seen("car", PERSON, 0.7, emoji="🚗"), seen("truck", (101, 52, 79, 199), 0.8, emoji="🚚")
    agreed = only(merge(everyone(car), CALIBRATION))
    box, other = merge({"detectron2": [car], "rtdetr": [truck], "yolov8": [car]}, CALIBRATION).boxes
    assert (box.label, box.silent_services) == ("car", ())
    (rival,) = box.rivals
    assert (rival.label, rival.emoji, rival.services) == ("truck", "🚚", ("rtdetr",))
    assert rival.probability < box.confidence < agreed.confidence
    assert rival.probability + box.confidence <= 1
    assert (other.label, other.confidence, other.rival_of) == ("truck", rival.probability, box.cluster_id)
    assert (box.rival_of, other.rivals[0].label) == ("", "car")


def test_a_crowd_whose_boxes_overlap_in_a_row_does_not_become_one_person() -> None:
    row = [seen("person", (100 + 25 * n, 50, 80, 200), 0.9 - 0.01 * n) for n in range(8)]
    near = [seen("person", (103 + 25 * n, 48, 80, 200), 0.8 - 0.01 * n) for n in range(8)]
    merged = merge({"rtdetr": row, "yolov8": near}, CALIBRATION)
    assert sorted(box.box[0] for box in merged.boxes) == [101 + 25 * n for n in range(8)]
    assert all(len(box.detections) == 2 for box in merged.boxes)


def test_what_a_service_says_twice_counts_once() -> None:
    once = {"rtdetr": [seen("cup", PERSON, 0.8)], "yolov8": []}
    twice = {"rtdetr": [seen("cup", (102, 51, 80, 200), 0.4), *once["rtdetr"]], "yolov8": []}
    assert merge(twice, CALIBRATION).boxes == merge(once, CALIBRATION).boxes
    assert merge(twice, CALIBRATION).dropped == {"rtdetr": {"duplicate": 1}}


def test_a_part_of_a_larger_box_of_its_label_is_less_likely_unless_another_service_sees_it_too() -> None:
    whole, part, elsewhere = (seen("person", place) for place in (PERSON, (110, 60, 40, 60), (310, 60, 40, 60)))
    inside, apart = (merge({"rtdetr": [whole, one]}, CALIBRATION).boxes[1] for one in (part, elsewhere))
    assert inside.confidence < apart.confidence
    inside, apart = (merge(everyone(whole, one), CALIBRATION).boxes[1] for one in (part, elsewhere))
    assert inside.confidence == apart.confidence


def test_those_who_call_a_thing_otherwise_have_a_say_where_it_is() -> None:
    truck = seen("truck", (108, 50, 80, 200), 0.6)
    boxes = merge({"yolov8": [seen("car", PERSON, 0.6)], "rtdetr": [truck]}, CALIBRATION).boxes
    assert [box.box[0] in range(103, 107) for box in boxes] == [True, True]


def test_the_tighter_and_surer_service_has_more_say_where_the_box_is() -> None:
    answers = {"detectron2": [seen("cup", (100, 100, 50, 50))], "rtdetr": [seen("cup", (110, 100, 50, 50))]}
    assert only(merge(answers, CALIBRATION)).box[0] > 105
    assert only(merge(answers | {"rtdetr": [seen("cup", (110, 100, 50, 50), 0.2)]}, CALIBRATION)).box[0] < 105


def test_boxes_are_numbered_for_each_label_the_surest_first() -> None:
    merged = merge(
        {"yolov8": [seen("cup", (9, 9, 9, 9), 0.5), seen("car", PERSON, 0.7), seen("cup", COUCH, 0.9)]}, CALIBRATION
    )
    assert [box.cluster_id for box in merged.boxes] == ["cup_1", "car_1", "cup_2"]
    assert [box.confidence for box in merged.boxes] == sorted((b.confidence for b in merged.boxes), reverse=True)


def test_the_emoji_is_the_one_that_members_give_with_most_confidence() -> None:
    answers = {
        "detectron2": [seen("cup", PERSON, 0.9)],
        "rtdetr": [seen("cup", PERSON, 0.4, emoji="🍵")],
        "yolov8": [seen("cup", PERSON, 0.5, emoji="☕")],
    }
    assert only(merge(answers, CALIBRATION)).emoji == "☕"


def test_a_service_that_nobody_knows_takes_part() -> None:
    box = only(merge({"newcomer": [seen("cup", PERSON)], "yolov8": [seen("cup", PERSON)]}, CALIBRATION))
    assert [service for service, _ in box.detections] == ["newcomer", "yolov8"]
    assert box.confidence > only(merge({"yolov8": [seen("cup", PERSON)]}, CALIBRATION)).confidence


@steady
@given(any_answers, st.randoms(use_true_random=False))
def test_the_order_of_services_and_predictions_does_not_matter(answers: Answers, dice: random.Random) -> None:
    names = list(answers)
    dice.shuffle(names)
    shuffled = {name: dice.sample(answers[name], len(answers[name])) for name in names}
    assert stored(merge(shuffled, CALIBRATION, (90, 90))) == stored(merge(answers, CALIBRATION, (90, 90)))


@steady
@given(any_answers)
def test_services_of_which_the_same_is_known_can_change_places(answers: Answers) -> None:
    names = dict(zip(SERVICES, ("yolov8", "detectron2", "rtdetr"), strict=True))
    renamed = {names[service]: predictions for service, predictions in answers.items()}
    before, after = merge(answers, BoxCalibration()), merge(renamed, BoxCalibration())
    assert [(b.cluster_id, b.emoji, b.box, b.confidence) for b in before.boxes] == [
        (b.cluster_id, b.emoji, b.box, b.confidence) for b in after.boxes
    ]


@steady
@given(any_answers, st.integers(-900, 900), st.integers(-900, 900))
def test_where_the_image_begins_does_not_matter(answers: Answers, x: int, y: int) -> None:
    """But for a pixel where an edge falls just between two."""
    before, after = merge(answers, CALIBRATION), merge(moved(answers, x, y), CALIBRATION)
    assert labels(before) == labels(after)
    for one, other in zip(before.boxes, after.boxes, strict=True):
        assert one.confidence == other.confidence
        assert other.box == pytest.approx((one.box[0] + x, one.box[1] + y, *one.box[2:]), abs=1)


@steady
@given(any_answers)
def test_every_detection_is_in_one_box_or_said_twice(answers: Answers) -> None:
    merged = merge(answers, CALIBRATION)
    for service, predictions in answers.items():
        boxes = sum(service in dict(box.detections) for box in merged.boxes)
        assert boxes == len(predictions) - merged.dropped.get(service, {}).get("duplicate", 0)


@steady
@given(any_answers)
def test_whatever_is_another_name_of_a_thing_is_ranked_below_a_box_that_is_none(answers: Answers) -> None:
    boxes = {box.cluster_id: box for box in merge(answers, CALIBRATION).boxes}
    for box in boxes.values():
        if box.rival_of:
            stronger = boxes[box.rival_of]
            assert (stronger.rival_of, stronger.label != box.label) == ("", True)
            assert stronger.confidence >= box.confidence
            assert box.label in [rival.label for rival in stronger.rivals]


@steady
@given(any_answers)
def test_each_service_is_a_member_or_silent_or_neither_but_never_both(answers: Answers) -> None:
    for box in merge(answers, CALIBRATION).boxes:
        contributing = {service for service, _ in box.detections}
        assert len(contributing) == len(box.detections) >= 1
        assert contributing.isdisjoint(box.silent_services)
        assert contributing | set(box.silent_services) <= answers.keys()
        assert 0 <= box.confidence <= 1


confidences = st.integers(0, 1000).map(lambda thousandths: thousandths / 1000)


@steady
@given(
    st.dictionaries(st.sampled_from(SERVICES), confidences | st.none(), min_size=1),
    st.sampled_from(SERVICES),
    confidences,
    st.tuples(*[st.integers(-5, 5)] * 4),
)
def test_one_more_service_that_agrees_never_takes_away(
    others: dict[str, float | None], one: str, confidence: float, shift: tuple[int, ...]
) -> None:
    """Whether it was silent before or had not answered; the other services say the same thing or nothing."""
    answers = {name: [] if sure is None else [seen("cup", PERSON, sure)] for name, sure in others.items()}
    x, y, width, height = (old + by for old, by in zip(PERSON, shift, strict=True))
    with_it = merge(answers | {one: [seen("cup", (x, y, width, height), confidence)]}, CALIBRATION)
    for before in (answers, {name: said for name, said in answers.items() if name != one}):
        if not before.get(one):
            least = max((box.confidence for box in merge(before, CALIBRATION).boxes), default=0)
            assert only(with_it).confidence >= least


@steady
@given(st.dictionaries(any_text, any_json, max_size=3), st.sampled_from([None, (640, 480), (0, 0)]))
def test_no_answer_is_too_strange_to_merge(answers: dict[str, Any], size: tuple[int, int] | None) -> None:
    json.loads(stored(merge(answers, CALIBRATION, size)))


number = any_json | st.integers(-(10**7), 10**7) | st.floats(-100, 100)
box_like = st.lists(number, min_size=4, max_size=4) | st.fixed_dictionaries(
    dict.fromkeys(("x", "y", "width", "height"), number)
)
strange = st.fixed_dictionaries(
    {"label": st.just("cup") | any_json, "confidence": st.floats(0, 1) | any_json, "bbox": box_like, "emoji": any_json}
)


@settings(steady, max_examples=50)
@given(st.dictionaries(st.sampled_from(SERVICES), st.lists(strange | any_object, max_size=6)))
def test_boxes_of_any_numbers_come_out_inside_the_image(answers: dict[str, Any]) -> None:
    for box in merge(answers, CALIBRATION, (640, 480)).boxes:
        x, y, width, height = box.box
        assert 0 <= x < x + width <= 640
        assert 0 <= y < y + height <= 480


def test_as_many_boxes_as_there_may_be_are_merged_in_moments() -> None:
    dice = random.Random(7)
    many = [seen("cup", (dice.random() * 60, dice.random() * 60, 90, 90), dice.random()) for _ in range(MAX_DETECTIONS)]
    merged = merge(everyone(*many), CALIBRATION)
    assert all(len(box.detections) == 3 for box in merged.boxes)
