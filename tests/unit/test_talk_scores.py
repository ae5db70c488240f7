"""The scores of talks, on cases small enough to count by hand."""

import numpy as np
import pytest

from bench.talk.scenes import NEARLY_VULGAR, VULGAR
from bench.talk.scores import best_mapping, count_error, counts_of, diarisation_score, plain_words, word_errors
from bench.talk.vulgar import VulgarScore, vulgar_score
from dev.voices.talks import MadeTalk, SpokenTurn
from tests.unit.kernels.talk_text import SINGLISH
from windmill.kernels.audio.heard_words import HeardWord, spread
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


def said_in_turn(*sentences: str | None) -> tuple[MadeTalk, list[HeardWord]]:
    """Five seconds for each sentence, by a and b in turn, and all words as they are."""
    spoken = [
        SpokenTurn(SpeakerTurn("ab"[place % 2], 6.0 * place, 6.0 * place + 5), text)
        for place, text in enumerate(sentences)
    ]
    words = [word for one in spoken for word in spread((one.text or "").split(), one.turn.span)]
    return MadeTalk(np.zeros(0, np.int16), spoken), words


def test_a_vulgar_word_is_right_if_its_speaker_has_said_it() -> None:
    walao, lunch = "wah lao why is the queue so long today", "see you at lunch hour near the station"
    talk, words = said_in_turn(walao, lunch, walao, None)
    assert vulgar_score(talk, words, talk.turns, SINGLISH) == VulgarScore(said=2, counted=2, right=2)
    changed = [SpeakerTurn("b", *talk.turns[0].span), *talk.turns[1:]]
    assert vulgar_score(talk, words, changed, SINGLISH) == VulgarScore(said=2, counted=2, right=1)
    invented = [*words, *spread(["lan", "jiao"], (19.0, 20.0))]
    assert vulgar_score(talk, invented, talk.turns, SINGLISH) == VulgarScore(said=2, counted=3, right=2)
    assert vulgar_score(talk, words[:2], talk.turns, SINGLISH) == VulgarScore(said=2, counted=1, right=1)


@pytest.mark.parametrize("text", [*VULGAR, *NEARLY_VULGAR])
def test_of_the_sentences_of_the_bench_the_vulgar_ones_are_counted_once_and_the_others_never(text: str) -> None:
    talk, words = said_in_turn(text)
    own = int(text in VULGAR)
    assert vulgar_score(talk, words, talk.turns, SINGLISH) == VulgarScore(own, own, own)
