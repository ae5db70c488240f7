"""Documents of boxes and answers: what is written is read again, and what somebody made of them stops nobody."""

import json

import pytest
from orjson import Fragment

from windmill.derive.stored_answers import StoredAnswer, parse_answers, render_answers
from windmill.derive.stored_boxes import StoredBox, parse_boxes, render_boxes

BOXES = [
    StoredBox(7, "b", (1, 2, 3, 4), {"label": "dog", "confidence": 0.25}),
    StoredBox(3, "a", (5, 6, 7, 8), {"label": "cat \x00", "rivals": []}),
]
ANSWER = StoredAnswer("a", "pose", 9, 3, 2, True, 1, "2026-01-01 00:00:00+00", data={"predictions": [{"x": 0.5}]})
ERROR = StoredAnswer("a", "face", 8, 3, 1, False, 1, "2026-01-01 00:00:00+00", error_code="SERVICE_ERROR")
UNREADABLE = ["", "{", "null", "{}", '"text"', "[1, null, [], {}]"]


def test_boxes_are_read_as_they_were_written_in_the_order_of_their_numbers() -> None:
    last, first = parse_boxes(render_boxes(BOXES))[::-1]
    assert last == BOXES[0]
    assert first.data == {"label": "cat \ufffd", "rivals": []}, "PostgreSQL takes no NUL"


def test_the_same_boxes_give_the_same_text() -> None:
    again = [StoredBox(one.merged_id, one.box_key, one.anchor, dict(reversed(one.data.items()))) for one in BOXES]
    assert render_boxes(again) == render_boxes(BOXES)


def test_answers_are_read_as_they_were_written() -> None:
    found = parse_answers(render_answers([ANSWER, ERROR]))
    assert found == [ERROR, ANSWER]
    assert [(one.status, one.reply) for one in found] == [("error", {}), ("success", {"predictions": [{"x": 0.5}]})]


def test_a_reply_that_is_json_already_is_written_as_it_is_and_what_is_empty_is_left_out() -> None:
    text = '{"predictions": [1e2]}'
    answer = StoredAnswer("a", "pose", 9, 3, 1, True, 1, "now", data=Fragment(text))
    assert text in render_answers([answer])
    (row,) = json.loads(render_answers([answer]))
    assert not {"error_code", "error_message", "processing_time"} & row.keys()


@pytest.mark.parametrize("text", UNREADABLE)
def test_what_cannot_be_read_is_left_out(text: str) -> None:
    assert parse_boxes(text) == ()
    assert parse_answers(text) == []


def test_a_box_or_an_answer_with_the_wrong_columns_is_left_out_and_the_others_stay() -> None:
    boxes = [*json.loads(render_boxes(BOXES)), {"merged_id": "1", "box_key": "c"}, {"merged_id": 1, "box_key": 2}]
    assert [one.box_key for one in parse_boxes(json.dumps(boxes))] == ["a", "b"]
    answers = [*json.loads(render_answers([ANSWER])), {"box_key": "a"}, {"colour": "red"}]
    assert parse_answers(json.dumps(answers)) == [ANSWER]


def test_a_document_that_is_none_has_nothing_to_tell_and_keeps_its_box() -> None:
    (box,) = parse_boxes('[{"merged_id": 1, "box_key": "a", "anchor": null, "data": [1]}]')
    assert (box.anchor, box.data) == ((), {})
