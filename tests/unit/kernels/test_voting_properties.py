"""What holds for every vote, whatever services say."""

import json
import random
from dataclasses import replace
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from tests.unit.hostile_replies import any_json, any_text, steady
from tests.unit.votes import CALIBRATION, SERVICES, box, items, verdict
from windmill.kernels.votes.emojis import group_of
from windmill.kernels.votes.evidence import Standing, listing_threshold, probability
from windmill.kernels.votes.standings import CropAnswer, parse_answers, standings
from windmill.kernels.votes.vote_calibration import VoteCalibration
from windmill.kernels.votes.voting import VoteInputs, vote

EMOJIS = ("🧑", "👩", "🐶", "🐱", "⌚", "⌚️", "🍽️", "🙂", "💬", "🔞", "🚀")
LISTS = ("said_yes", "confirmed_by", "silent", "could_not_know", "awaiting", "failed")

emojis = st.sampled_from(EMOJIS)
services = st.sampled_from(SERVICES)
confidences = st.one_of(st.none(), st.floats(0, 1))
mappings = st.fixed_dictionaries({"word": any_text, "emoji": emojis})
people = st.sampled_from(["face", "pose", "colors"])
predictions = st.one_of(
    st.fixed_dictionaries({"emoji": emojis, "confidence": confidences, "label": st.sampled_from(["dog", "face", "x"])}),
    st.fixed_dictionaries({"emoji_mappings": st.lists(mappings, max_size=3)}),
    st.just({"landmarks": {"nose": {"visibility": 0.9}}}),
    st.just({"has_text": True, "text": "words"}),
    st.just({"nsfw": True, "confidence": 0.9}),
)  # fmt: skip
replies = st.fixed_dictionaries({"predictions": st.lists(predictions, max_size=4)})
answers = st.dictionaries(services, replies, max_size=8)
boxes = st.lists(st.builds(box, emojis, st.sampled_from(["a", "b", "c"]), confidences), max_size=4)
crops = st.lists(
    st.builds(CropAnswer, st.sampled_from(["a", "b"]), people, st.just("success"), replies),
    max_size=3,
)
worlds = st.builds(
    VoteInputs,
    answers,
    st.just(CALIBRATION),
    st.dictionaries(services, st.just("SERVICE_TIMEOUT"), max_size=3),
    st.lists(services, max_size=3),
    boxes,
    crops,
)


def text(result: dict[str, Any]) -> str:
    return json.dumps(result, ensure_ascii=False, allow_nan=False)


def names(item: dict[str, Any]) -> list[str]:
    return [one["service"] if isinstance(one, dict) else one for key in LISTS for one in item[key]]


@steady
@given(worlds, st.randoms(use_true_random=False))
def test_no_order_of_anything_changes_a_byte(world: VoteInputs, dice: random.Random) -> None:
    def shuffled(values: Any) -> list[Any]:  # noqa: ANN401 - of anything
        return dice.sample(list(values), len(values))

    said: dict[str, Any] = dict(world.answers)
    there = replace(
        world,
        answers={name: {"predictions": shuffled(said[name]["predictions"])} for name in shuffled(said)},
        failed=dict(shuffled(world.failed.items())),
        awaiting=shuffled(world.awaiting),
        boxes=shuffled(world.boxes),
        enrichments=shuffled(world.enrichments),
    )
    assert text(vote(there)) == text(vote(world))


@steady
@given(worlds)
def test_every_item_has_each_service_in_one_place(world: VoteInputs) -> None:
    known = {*world.answers, *world.failed, *world.awaiting}
    for item in items(vote(world)).values():
        assert len(names(item)) == len(set(names(item)))
        assert known <= set(names(item)) <= known | {"face", "pose"}


@steady
@given(worlds)
def test_winners_are_those_that_are_likely_enough_and_all_are_ranked(world: VoteInputs) -> None:
    votes = vote(world)["votes"]
    for part in (votes["consensus"], votes["runners_up"]):
        ranks = [(-item["probability"], -item["final_score"], -item["votes"]) for item in part]
        assert ranks == sorted(ranks)
    for item in votes["runners_up"]:
        assert item["probability"] < item["missing"]["probability"]
    assert all("missing" not in item for item in votes["consensus"])
    assert all(0 <= item["probability"] <= 1 for item in items({"votes": votes}).values())


@steady
@given(worlds, services, emojis, confidences)
def test_one_more_yes_never_makes_an_emoji_less_likely_or_drops_it(
    world: VoteInputs, service: str, emoji: str, confidence: float | None
) -> None:
    before = dict(world.answers)
    said = [*before.get(service, {"predictions": []})["predictions"], {"emoji": emoji, "confidence": confidence}]  # type: ignore[index]
    old, new = (standing_of(emoji, world, one) for one in (before, before | {service: {"predictions": said}}))
    assert new is not None
    if old is not None:
        assert probability(new, CALIBRATION) >= probability(old, CALIBRATION)
        assert listing_threshold(new, CALIBRATION) <= listing_threshold(old, CALIBRATION)


@steady
@given(worlds, services, emojis)
def test_one_more_silence_never_makes_an_emoji_likelier(world: VoteInputs, service: str, emoji: str) -> None:
    before = {name: reply for name, reply in world.answers.items() if name != service}
    old, new = (standing_of(emoji, world, one) for one in (before, before | {service: {"predictions": []}}))
    if old is not None:
        assert new is not None
        assert probability(new, CALIBRATION) <= probability(old, CALIBRATION)
        assert listing_threshold(new, CALIBRATION) >= listing_threshold(old, CALIBRATION)


def standing_of(emoji: str, world: VoteInputs, said: dict[str, Any]) -> Standing | None:
    heard = parse_answers(said, CALIBRATION, boxes=world.boxes, enrichments=world.enrichments)
    return next((one for one in standings(heard, CALIBRATION)[0] if one.emoji == group_of(emoji)), None)


@steady
@given(
    st.dictionaries(
        st.one_of(services, any_text), st.one_of(any_json, st.fixed_dictionaries({"predictions": any_json}))
    ),
    st.lists(any_json, max_size=3),
    st.lists(st.builds(CropAnswer, any_text, services, any_text, any_json), max_size=3),
)
def test_nothing_that_services_send_is_too_strange(said: Any, strange_boxes: Any, strange_crops: Any) -> None:  # noqa: ANN401
    for calibration in (CALIBRATION, VoteCalibration()):
        text(vote(VoteInputs(said, calibration, boxes=strange_boxes, enrichments=strange_crops)))


def test_an_old_verdict_is_reached_again_to_the_byte() -> None:
    said = {"clip": {"predictions": [{"emoji": "🐶", "confidence": 0.123456789}]}}
    assert text(verdict(said)) == text(verdict(json.loads(json.dumps(said))))
