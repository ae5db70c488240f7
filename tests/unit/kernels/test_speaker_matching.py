"""Voices keep their names when a talk is heard again."""

from windmill.kernels.text.speaker_matching import VoicePart, Voices, same_speakers
from windmill.kernels.text.spoken_words import SpokenWord


def word(speaker: str, t0: float, t1: float) -> SpokenWord:
    return SpokenWord(t0, t1, "lah", 1.0, speaker)


def test_labels_that_changed_places_are_known_by_who_spoke_when() -> None:
    before = [word("S0", 0, 5), word("S1", 5, 9)]
    after = [word("S1", 0, 4.8), word("S0", 5, 9), word("S2", 20, 22)]
    assert same_speakers(before, after) == {"S1": "S0", "S0": "S1"}


def test_a_voice_that_was_parted_in_two_is_the_one_of_them_that_has_most_of_it() -> None:
    assert same_speakers([word("S0", 0, 9)], [word("S0", 0, 2), word("S1", 2, 9)]) == {"S1": "S0"}


def test_what_was_split_off_a_voice_is_another_speaker_and_the_rest_is_not() -> None:
    voices = Voices([VoicePart("whole", "S0"), VoicePart("part", "S0", 2.0, 3.0), VoicePart("other", "S1")])
    assert [voices.owner("S0", at) for at in (1.9, 2.0, 2.9, 3.0)] == ["whole", "part", "part", "whole"]
    assert (voices.owner("S1", 2.5), voices.owner("S9", 2.5)) == ("other", None)


def test_a_turn_is_cut_where_the_part_of_another_speaker_begins_and_ends() -> None:
    voices = Voices([VoicePart("whole", "S0"), VoicePart("part", "S0", 2.0, 3.0)])
    assert voices.owners("S0", 1.0, 4.0) == [("whole", 1.0, 2.0), ("part", 2.0, 3.0), ("whole", 3.0, 4.0)]
    assert voices.owners("S0", 2.2, 2.8) == [("part", 2.2, 2.8)]
    assert voices.owners("S0", 2.5, 3.0) == [("part", 2.5, 3.0)]
    assert voices.owners("S9", 1.0, 4.0) == []
