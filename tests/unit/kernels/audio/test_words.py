"""Words in the answers of recognisers, and who said them."""

from collections import Counter
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from windmill.kernels.audio.attribution import attribute, speakers_of
from windmill.kernels.audio.clean_stretches import best_sample, clean_stretches
from windmill.kernels.audio.heard_words import HeardWord, NotHeard, cleaned, without_loops, word_of, words_of_answer
from windmill.kernels.audio.speaker_turns import SpeakerTurn

SURE = {"no_speech_prob": 0.1, "avg_logprob": -0.3}
ANSWERS: dict[str, dict[str, Any]] = {
    "words": {"words": [{"word": " ok", "start": 0.0, "end": 1.0}, {"word": "lah", "start": 1.0, "end": 2.0}]},
    "words of segments": {
        "text": "ok lah",
        "segments": [{**SURE, "words": [{"word": "ok", "start": 0, "end": 1}, {"word": "lah", "start": 1, "end": 2}]}],
    },
    "segments of text": {"segments": [{"text": "okk lah", "start": 0, "end": 2, **SURE}]},
    "text": {"text": "okk lah"},
    "the first system": {"raw_transcription": "<Speaker1>: err okk !(lah)!", "corrected": "no", "word_counts": {}},
}


@pytest.mark.parametrize("shape", ANSWERS)
def test_every_shape_of_an_answer_is_read(shape: str) -> None:
    words = words_of_answer(ANSWERS[shape], 2.0)
    assert [word.word[:2] for word in words] == ["ok", "la"]
    assert [(word.t0, word.t1) for word in words] == [(0.0, 1.0), (1.0, 2.0)]


@pytest.mark.parametrize("answer", [[], {}, {"words": [{"start": 0}]}, {"words": [{"word": "a", "start": "x"}]}, "ok"])
def test_what_is_no_answer_is_refused(answer: object) -> None:
    with pytest.raises(NotHeard):
        words_of_answer(answer, 1.0)


def test_what_the_recogniser_says_itself_is_no_speech_is_left_out_and_times_stay_within() -> None:
    invented = {"text": "thanks for watching", "start": 0, "end": 9, "no_speech_prob": 0.9, "avg_logprob": -1.4}
    assert words_of_answer({"segments": [invented]}, 2.0) == []
    (word,) = words_of_answer({"words": [{"word": "x", "start": -1, "end": 99, "probability": 0.5}]}, 2.0)
    assert (word.t0, word.t1, word.confidence) == (0.0, 2.0, 0.5)


def test_brackets_marks_and_fillers_are_taken_away_and_words_are_kept() -> None:
    assert cleaned("<Speaker2>: uh, (wah) can !(lah)! um - errand") == ["wah", "can", "lah", "errand"]


def said(text: str) -> list[HeardWord]:
    return [HeardWord(place, place + 1, word) for place, word in enumerate(text.split())]


def plain(words: list[HeardWord]) -> str:
    return " ".join(word.word for word in words)


def test_a_loop_is_cut_to_one_time_and_people_may_repeat_themselves() -> None:
    assert plain(without_loops(said("so thank you thank you thank you thank you bye"))) == "so thank you bye"
    assert plain(without_loops(said("can can can lah lah"))) == "can can can lah lah"
    assert plain(without_loops(said("the " * 40))) == "the"
    assert plain(without_loops(said("one by one by one we go"))) == "one by one by one we go"


WORDS = st.lists(
    st.builds(lambda t0, size, word: HeardWord(t0, t0 + size, word), st.floats(0, 60), st.floats(0, 2), st.text("ab")),
    max_size=20,
)
TURN = st.tuples(st.integers(0, 3), st.floats(0, 60), st.floats(0.1, 9))
TURNS = st.lists(TURN.map(lambda one: SpeakerTurn(f"S{one[0]}", one[1], one[1] + one[2])), max_size=12)


@given(WORDS, TURNS)
def test_no_word_is_lost_or_made_and_each_has_a_speaker_who_is_there(
    words: list[HeardWord], turns: list[SpeakerTurn]
) -> None:
    found = attribute(words, turns)
    assert Counter(one.heard for one in found) == Counter(words)
    assert [one.heard.t0 for one in found] == sorted(word.t0 for word in words)
    speakers = speakers_of(turns, found)
    assert {one.speaker for one in found} <= {speaker.label for speaker in speakers}
    assert sum(speaker.segments for speaker in speakers) == len(turns)
    assert all(word_of(one.heard.document()).word == one.heard.word for one in found)


@given(WORDS, TURNS)
def test_a_word_that_lies_within_the_turns_of_one_alone_is_of_that_one(
    words: list[HeardWord], turns: list[SpeakerTurn]
) -> None:
    for one in attribute(words, turns):
        over = {turn.speaker for turn in turns if turn.t0 < one.heard.t1 and one.heard.t0 < turn.t1}
        if len(over) == 1 and one.heard.t1 - one.heard.t0 > 1e-6:
            assert one.speaker in over


def test_a_word_between_two_turns_is_of_the_nearer_one_and_without_turns_there_is_one_speaker() -> None:
    turns = [SpeakerTurn("a", 0, 1), SpeakerTurn("b", 5, 6)]
    assert [one.speaker for one in attribute([HeardWord(1.5, 1.8, "x"), HeardWord(4, 4.4, "y")], turns)] == ["a", "b"]
    assert [one.speaker for one in attribute(said("x"), [])] == ["SPEAKER_00"]


def test_a_sample_is_the_longest_stretch_of_one_alone_and_the_loudest_of_equal_ones() -> None:
    turns = [SpeakerTurn("a", 0, 20), SpeakerTurn("b", 4, 9), SpeakerTurn("a", 30, 37)]
    assert clean_stretches(turns, "a") == [(9, 20), (30, 37), (0, 4)]
    assert clean_stretches(turns, "b") == []
    assert best_sample(turns, "b", lambda _: 0.0) is None
    assert best_sample(turns, "a", lambda span: -abs(span[0] - 31)) == (31, 36)
    assert best_sample([SpeakerTurn("c", 1, 3)], "c", lambda _: 0.0) == (1, 3)
