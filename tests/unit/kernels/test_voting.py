"""What the vote says of an image, read by those who knew the first version and by those who ask why."""

from typing import Any

import pytest

from tests.unit.votes import FACES, POSE, box, caption, crop, items, seen, verdict
from windmill.kernels.votes.standings import MAX_EMOJIS


def test_without_answers_the_verdict_is_empty_and_well_formed() -> None:
    result = verdict({})
    assert result["votes"] == {"consensus": [], "runners_up": []}
    assert result["special"] == {"text": {"detected": False}, "face": {"detected": False}, "nsfw": {"detected": False}}
    assert (result["services_count"], result["services_list"]) == (0, [])
    assert (result["awaiting_services"], result["failed_services"]) == ([], [])
    assert result["debug"] == {"detection_count": 0, "emoji_groups": 0, "emojis_dropped": 0, "runners_up_dropped": 0}


def test_readers_of_the_first_version_find_what_they_know() -> None:
    answers = {"yolov8": seen("🐶"), "clip": seen("🐶"), "ollama": caption("🐶")}
    result = verdict(answers, total_processing_time=1.5, latest_result_time="2026-01-01T00:00:00+00:00")
    assert {
        "services_count", "services_list", "total_processing_time", "latest_result_time", "consensus_algorithm",
        "votes", "special", "debug",
    } <= result.keys()  # fmt: skip
    assert (result["total_processing_time"], result["latest_result_time"]) == (1.5, "2026-01-01T00:00:00+00:00")
    assert result["services_list"] == ["clip", "ollama", "yolov8"]
    waiting = verdict(answers, awaiting=["rtdetr", "blip"], failed={"ocr": "SERVICE_ERROR"})
    assert (waiting["awaiting_services"], waiting["failed_services"]) == (["blip", "rtdetr"], ["ocr"])
    item = result["votes"]["consensus"][0]
    assert (item["emoji"], item["votes"], item["services"]) == ("🐶", 3, ["clip", "llama", "yolo"])
    assert (item["evidence_weight"], item["final_score"]) == (4, 7)  # three votes, and caption and label agree
    assert item["instances"] == {"count": 1, "type": "non_spatial"}
    assert item["evidence"]["semantic"] == {"service_count": 1, "sources": ["llama"], "words": ["word"]}
    assert item["evidence"]["classification"] == {"service_count": 1, "sources": ["clip"]}
    assert item["evidence"]["specialized"] is None
    assert result["debug"]["detection_count"] == 3


def test_one_service_is_enough_for_a_result_and_a_second_one_makes_it_surer() -> None:
    alone = items(verdict({"clip": seen("🐶")}))["🐶"]
    together = items(verdict({"clip": seen("🐶"), "yolov8": seen("🐶")}))["🐶"]
    assert 0.5 < alone["probability"] < together["probability"]


def test_what_is_likely_is_listed_and_the_others_say_what_they_lack() -> None:
    answers = {"clip": seen("🐶"), "a_new_one": seen("🐱", 0.2), "yolov8": seen("🐶"), "rtdetr": seen("🐶")}
    result = verdict(answers, awaiting=["blip", "ocr"], failed={"detectron2": "SERVICE_TIMEOUT"})
    assert [item["emoji"] for item in result["votes"]["consensus"]] == ["🐶"]
    [other] = result["votes"]["runners_up"]
    assert other["emoji"] == "🐱"
    assert other["probability"] < other["missing"]["probability"] == 0.5
    assert other["missing"]["log_odds"] > 0
    assert other["missing"]["could_still_say"] == ["blip", "detectron2"]


def test_each_item_tells_where_every_service_stands() -> None:
    answers = {"blip": caption("🐶"), "clip": seen("🐱"), "yolov8": seen("🐱"), "ocr": {"predictions": []}}
    item = items(verdict(answers, awaiting=["rtdetr"], failed={"ollama": "SERVICE_TIMEOUT"}))["🐶"]
    assert item["said_yes"] == [{"service": "blip", "confidence": None, "word": "word"}]
    assert item["silent"] == ["clip", "yolov8"]
    assert item["could_not_know"] == ["ocr"]
    assert item["awaiting"] == ["rtdetr"]
    assert item["failed"] == [{"service": "ollama", "code": "SERVICE_TIMEOUT"}]
    assert item["why"]["codes"] == ["one_voice", "silence_against", "answers_awaited", "answers_failed"]
    assert item["why"]["sentence"] == (
        "Said by blip; clip and yolov8 could have said it and did not; no answer yet from rtdetr; "
        "no answer from ollama, which failed."
    )


@pytest.mark.parametrize(
    ("answers", "code"),
    [
        ({"blip": caption("🐶"), "ollama": caption("🐶")}, "one_kind_agrees"),
        ({"blip": caption("🐶"), "clip": seen("🐶")}, "different_kinds_agree"),
        ({"blip": caption("🐶")}, "one_voice"),
    ],
)
def test_it_says_whether_like_services_agree_or_different_ones(answers: dict[str, Any], code: str) -> None:
    assert items(verdict(answers))["🐶"]["why"]["codes"][0] == code


def test_the_silence_of_who_could_not_know_changes_nothing() -> None:
    alone = items(verdict({"clip": seen("🚀")}))["🚀"]
    among = items(verdict({"clip": seen("🚀"), "yolov8": seen("🐶"), "ocr": {"predictions": []}}))["🚀"]
    assert among["could_not_know"] == ["ocr", "yolov8"]
    assert among["probability"] == alone["probability"]


def test_persons_are_one_group_whatever_they_are_called_and_the_variants_are_told() -> None:
    answers = {"blip": caption("👩"), "ollama": caption("👨‍🍳"), "yolov8": seen("🧑"), "clip": seen("🧒🏽")}
    [item] = verdict(answers)["votes"]["consensus"]
    assert (item["emoji"], item["votes"]) == ("🧑", 4)
    assert item["variants"] == sorted(["👩", "👨‍🍳", "🧑", "🧒🏽"])


def test_a_variation_selector_splits_no_vote() -> None:
    [item] = verdict({"yolov8": seen("⌚"), "clip": seen("⌚️")})["votes"]["consensus"]
    assert (item["emoji"], item["votes"]) == ("⌚️", 2)


def test_a_label_without_an_emoji_votes_for_that_of_its_label() -> None:
    answers = {"yolov8": {"predictions": [{"label": "dining table", "confidence": 0.9}]}, "clip": seen("🍽️")}
    [item] = verdict(answers)["votes"]["consensus"]
    assert item["votes"] == 2


def test_merged_boxes_are_spatial_evidence() -> None:
    boxes = [box("🐶", "dog_2", 0.4, ("yolov8",)), box("🐶", "dog_1", 0.9)]
    before = verdict({"yolov8": seen("🐶"), "rtdetr": seen("🐶")})["votes"]["consensus"][0]
    item = verdict({"yolov8": seen("🐶"), "rtdetr": seen("🐶")}, boxes=boxes)["votes"]["consensus"][0]
    assert item["instances"]["count"] == 2
    assert item["instances"]["type"] == "spatial"
    assert [place["box_key"] for place in item["instances"]["bounding_boxes"]] == ["dog_1", "dog_2"]
    assert item["evidence"]["spatial"] == {
        "service_count": 2, "sources": ["rtdetr", "yolo"], "detection_count": 2, "box_count": 2, "best_confidence": 0.9,
    }  # fmt: skip
    assert item["evidence_weight"] == before["evidence_weight"] + 1
    assert item["probability"] > before["probability"]
    assert "detectors_share_a_box" in item["why"]["codes"]


def test_detectors_vote_before_there_are_boxes() -> None:
    [item] = verdict({"yolov8": seen("🐶", 0.9), "rtdetr": seen("🐶", 0.9)})["votes"]["consensus"]
    assert item["evidence"]["spatial"]["box_count"] == 0
    assert item["evidence"]["spatial"]["best_confidence"] == 0.9


BOTH = ["face_confirmed", "pose_confirmed"]


@pytest.mark.parametrize(
    ("more", "notes", "confirmed"),
    [
        ({"answers": {"face": FACES}}, ["face_confirmed"], []),
        ({"answers": {"pose": POSE}}, ["pose_confirmed"], []),
        ({"enrichments": [crop("face", FACES)]}, ["face_confirmed"], ["face"]),
        ({"enrichments": [crop("pose", POSE), crop("face", FACES)]}, BOTH, ["face", "pose"]),
        ({"enrichments": [crop("face", FACES, status="error")]}, None, []),
        ({"enrichments": [crop("face", {"predictions": []})]}, None, []),
        ({"enrichments": [crop("face", FACES, "another_box")]}, None, []),
        ({"enrichments": [crop("colors", FACES)]}, None, []),
    ],
)  # fmt: skip
def test_faces_and_bodies_confirm_persons(more: dict[str, Any], notes: list[str] | None, confirmed: list[str]) -> None:
    answers = {"yolov8": seen("🧑")}
    plain = items(verdict(answers, boxes=[box("🧑")]))["🧑"]
    item = items(
        verdict(answers | more.get("answers", {}), boxes=[box("🧑")], enrichments=more.get("enrichments", ()))
    )["🧑"]
    assert item.get("validation") == notes
    assert item["instances"]["bounding_boxes"][0]["confirmed_by"] == confirmed
    assert item["final_score"] == plain["final_score"] + len(notes or [])
    assert (item["probability"] > plain["probability"]) == bool(notes)


def test_a_face_confirms_no_dog() -> None:
    item = items(verdict({"yolov8": seen("🐶"), "face": FACES}, boxes=[box("🐶")], enrichments=[crop("face", FACES)]))[
        "🐶"
    ]
    assert "validation" not in item
    assert item["confirmed_by"] == item["instances"]["bounding_boxes"][0]["confirmed_by"] == []


def test_a_service_that_confirms_a_crop_stands_in_one_place_only() -> None:
    item = items(
        verdict({"yolov8": seen("🧑")}, awaiting=["face"], boxes=[box("🧑")], enrichments=[crop("face", FACES)])
    )["🧑"]
    assert item["confirmed_by"] == [{"service": "face", "confidence": 0.9}]
    assert item["awaiting"] == []


def test_the_order_is_that_after_curation() -> None:
    answers = {"yolov8": {"predictions": [{"emoji": "🐶", "confidence": 0.8}, {"emoji": "🧑", "confidence": 0.8}]}}
    assert [item["emoji"] for item in verdict(answers)["votes"]["consensus"]] == ["🐶", "🧑"]
    confirmed = verdict(answers | {"face": FACES})["votes"]["consensus"]
    assert [item["emoji"] for item in confirmed if item["emoji"] != "🙂"] == ["🧑", "🐶"]


def test_special_findings_need_no_second_voice() -> None:
    text = {"has_text": True, "emoji": "💬", "text": "STOP", "text_regions": [{"text": "STOP", "confidence": 0.7}],
            "emoji_mappings": [{"word": "stop", "emoji": "🛑"}]}  # fmt: skip
    nsfw = {"nsfw": True, "emoji": "🔞", "confidence": 0.95}
    answers = {"ocr": {"predictions": [text]}, "nsfw2": {"predictions": [nsfw]}, "face": FACES, "pose": POSE}
    special = verdict(answers)["special"]
    assert special["text"] == {
        "detected": True, "emoji": "💬", "confidence": 0.7, "count": 1, "content": "STOP", "services": ["ocr"],
        "boxes": [],
    }  # fmt: skip
    assert (special["face"]["emoji"], special["face"]["confidence"]) == ("🙂", 0.9)
    assert special["face"]["pose"] == {"detected": True, "confidence": 0.9, "count": 1, "boxes": []}
    assert special["nsfw"]["validation"] == ["suspicious_no_humans"]


def test_nakedness_is_less_suspicious_where_there_is_somebody() -> None:
    nsfw = {"predictions": [{"nsfw": True, "emoji": "🔞", "confidence": 0.95}]}
    result = verdict({"nsfw2": nsfw, "yolov8": seen("🧑"), "clip": seen("🧑")})
    assert result["special"]["nsfw"]["validation"] == ["human_context_confirmed"]
    assert items(result)["🔞"]["validation"] == ["human_context_confirmed"]


def test_a_face_in_a_crop_is_a_face_in_the_image() -> None:
    special = verdict({"yolov8": seen("🧑")}, boxes=[box("🧑")], enrichments=[crop("face", FACES)])["special"]
    assert (special["face"]["detected"], special["face"]["boxes"]) == (True, ["box_1"])


def test_an_unknown_service_has_a_voice_of_its_own_kind() -> None:
    item = items(verdict({"a_new_one": seen("🐶"), "yolov8": seen("🐶")}))["🐶"]
    assert item["services"] == ["a_new_one", "yolo"]
    assert item["why"]["codes"][0] == "different_kinds_agree"


def test_a_shiny_word_makes_a_shiny_item() -> None:
    answers = {"ollama": {"predictions": [{"emoji_mappings": [{"word": "dog", "emoji": "🐶", "shiny": True}]}]}}
    assert items(verdict(answers))["🐶"]["shiny"] is True
    assert "shiny" not in items(verdict({"ollama": caption("🐶")}))["🐶"]


def test_a_service_that_answered_is_neither_awaited_nor_failed() -> None:
    item = items(verdict({"clip": seen("🐶")}, awaiting=["clip", "blip"], failed={"clip": "X", "blip": "Y"}))["🐶"]
    assert (item["awaiting"], item["failed"]) == ([], [{"service": "blip", "code": "Y"}])


def test_a_flood_of_emojis_is_cut_and_counted() -> None:
    flood = [chr(0x4E00 + number) for number in range(MAX_EMOJIS + 100)]
    result = verdict({"clip": {"predictions": [{"emoji": emoji} for emoji in flood]}, "yolov8": seen("🐶")})
    assert result["debug"]["emoji_groups"] == MAX_EMOJIS
    assert result["debug"]["emojis_dropped"] == 101
    listed, others = result["votes"]["consensus"], result["votes"]["runners_up"]
    assert len(listed) + len(others) + result["debug"]["runners_up_dropped"] == MAX_EMOJIS


def test_what_two_services_say_survives_a_flood() -> None:
    flood = [{"emoji": chr(0x4E00 + number)} for number in range(MAX_EMOJIS + 100)] + [{"emoji": "🐶"}]
    assert "🐶" in items(verdict({"clip": {"predictions": flood}, "yolov8": seen("🐶")}))


def test_boxes_that_nobody_stands_for_any_more_are_shown_for_what_they_are() -> None:
    item = items(verdict({"clip": seen("🐱")}, boxes=[box("✈️")]))["✈️"]
    assert (item["votes"], item["services"]) == (0, [])
    assert item["why"]["codes"][0] == "boxes_only"
