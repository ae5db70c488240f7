"""The scores of talks, on cases small enough to count by hand."""

import pytest

from bench.talk.scores import best_mapping, count_error, counts_of, diarisation_score, plain_words, word_errors
from windmill.kernels.audio.speaker_turns import SpeakerTurn


def turns(*parts: tuple[str, float, float]) -> list[SpeakerTurn]:
    return [SpeakerTurn(*part) for part in parts]


TRUTH = turns(("a", 0, 10), ("b", 12, 20))


def test_labels_do_not_matter_when_all_is_right() -> None:
    assert diarisation_score(TRUTH, turns(("y", 0, 10), ("x", 12, 20))).rate == 0


def test_each_kind_of_error_is_counted_in_seconds_of_reference_speech() -> None:
    found = turns(("x", 0, 8), ("x", 11, 14), ("y", 14, 20))
    score = diarisation_score(TRUTH, found)
    assert (score.missed, score.false_alarm, score.confused, score.speech) == pytest.approx((2, 1, 2, 18))
    assert score.rate == pytest.approx(5 / 18)


def test_two_who_speak_at_once_count_twice() -> None:
    truth = turns(("a", 0, 10), ("b", 8, 12))
    score = diarisation_score(truth, turns(("x", 0, 10), ("y", 10, 12)))
    assert (score.missed, score.speech, score.confused) == pytest.approx((2, 14, 0))


def test_a_collar_forgives_at_boundaries_and_nowhere_else() -> None:
    found = turns(("x", 0.1, 10.2), ("y", 12, 20))
    assert diarisation_score(TRUTH, found).rate > 0
    forgiving = diarisation_score(TRUTH, found, collar=0.5)
    assert forgiving.rate == pytest.approx(0)
    assert forgiving.speech == pytest.approx(18 - 4 * 0.25)


def test_a_speaker_who_is_split_is_confused_for_the_smaller_part() -> None:
    score = diarisation_score(turns(("a", 0, 10)), turns(("x", 0, 6), ("y", 6, 10)))
    assert score.confused == pytest.approx(4)
    assert best_mapping(turns(("a", 0, 10)), turns(("x", 0, 6), ("y", 6, 10))) == {"x": "a"}


def test_word_errors_are_the_fewest_changes_and_counts_differ_by_speaker_and_word() -> None:
    assert word_errors(["we", "can", "go", "now"], ["we", "can't", "go"]) == 2
    assert word_errors([], ["thanks"]) == 1
    assert plain_words("Can't stop, won't - STOP!") == ["can't", "stop", "won't", "stop"]
    truth, found = counts_of([("a", "can can"), ("b", "lah")]), counts_of([("a", "can"), ("b", "lah lah")])
    assert count_error(truth, found) == pytest.approx(2 / 3)
