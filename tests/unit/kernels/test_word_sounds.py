"""Words are found by their sound, unless what was written there sounds like that, too."""

from collections.abc import Iterator

import pytest

from windmill.kernels.audio.heard_words import HeardWord
from windmill.kernels.audio.word_sounds import HeardPhone, Pronunciations, WordSound, with_sounds

SOUNDS = (WordSound("chee bye", "CH|JH IY UW? B AY|AA"), WordSound("wah lao", "W AA L AW"))
DICTIONARY = Pronunciations(
    (
        "a AH", "a(2) EY", "ate EY T", "cheap CH IY P", "buy B AY", "by B AY", "g JH IY", "he HH IY", "she SH IY",
        "t T IY", "bites B AY T S", "peachy P IY CH IY",
        "law L AO", "allows AH L AW Z", "saw S AO", "wall W AO L", "out AW T", "wa W AA",
    )
)  # fmt: skip


def phones(text: str, start: float = 0.0) -> list[HeardPhone]:
    """Each takes a tenth of a second."""
    return [HeardPhone(start + place / 10, start + (place + 1) / 10, phone) for place, phone in enumerate(text.split())]


def words(text: str, start: float = 0.0, each: float = 0.2) -> list[HeardWord]:
    return [
        HeardWord(start + place * each, start + (place + 1) * each, word, 0.9)
        for place, word in enumerate(text.split())
    ]


def written(heard: list[HeardWord]) -> str:
    return " ".join(word.word for word in heard)


def found(said: str, heard: str) -> str:
    return written(with_sounds(words(said), phones(heard), SOUNDS, DICTIONARY.of))


@pytest.mark.parametrize(
    ("said", "heard", "now"),
    [
        ("T. by", "CH IY B AY", "chee bye"),
        ("She by", "CH IY B AA", "chee bye"),
        ("Chibai", "JH IY UW B AY", "chee bye"),
        ("wild out", "W AA L AW", "wah lao"),
    ],
)
def test_what_sounds_like_a_word_is_written_as_it(said: str, heard: str, now: str) -> None:
    assert found(said, heard) == now


@pytest.mark.parametrize(
    ("said", "heard"),
    [
        ("G. by", "JH IY B AY"),
        ("a cheap buy", "AH CH IY B AY"),
        ("wa allows", "W AA L AW Z"),
        ("T. by", "SH IY B AY"),
        ("T. by", "CH IY B"),
        ("T. by", "CH IY SIL B AY"),
        ("T. by", "CH IY +SPN+ B AY"),
        ("T. by", ""),
    ],
    ids=["said so", "a phone swallowed", "another one swallowed", "other", "a part", "a pause", "noise", "nothing"],
)
def test_what_was_written_stays_if_it_sounds_like_that_or_nothing_does(said: str, heard: str) -> None:
    assert found(said, heard) == said


def test_where_nothing_was_written_nothing_is_found() -> None:
    """Noise has phones, too."""
    assert with_sounds([], phones("CH IY B AY"), SOUNDS, DICTIONARY.of) == []
    far = words("he ate", start=5.0)
    assert with_sounds(far, phones("CH IY B AY"), SOUNDS, DICTIONARY.of) == far


def test_only_words_at_the_place_give_way_and_what_they_were_is_kept() -> None:
    said = [*words("he saw", 0.0), *words("T. by", 0.4), *words("a wall", 0.8)]
    heard = with_sounds(said, [*phones("HH IY S AO"), *phones("CH IY B AY AH W AO L", 0.4)], SOUNDS, DICTIONARY.of)
    assert written(heard) == "he saw chee bye a wall"
    chee, bye = heard[2:4]
    assert (chee.t0, chee.t1, bye.t1) == pytest.approx((0.4, 0.6, 0.8))
    assert (chee.alternatives, bye.alternatives, chee.confidence) == (("T. by",), (), None)
    assert heard[:2] == said[:2]


def test_two_in_a_row_are_two_and_of_two_that_overlap_one_is_taken() -> None:
    twice = with_sounds(words("T. by T. by"), phones("CH IY B AY CH IY B AY"), SOUNDS, DICTIONARY.of)
    assert written(twice) == "chee bye chee bye"
    overlapping = (WordSound("one", "CH IY B"), WordSound("two", "B AY"))
    assert written(with_sounds(words("T. by"), phones("CH IY B AY"), overlapping, DICTIONARY.of)) == "one by"


def test_a_phrase_is_not_found_inside_another_phone() -> None:
    assert WordSound("x", "IY B").pattern.search("IY B ")
    assert WordSound("x", "B AY").pattern.search("CH IY B AY ")
    assert not WordSound("x", "H IY").pattern.search("CH IY ")


def test_of_two_ways_to_say_a_word_each_may_explain_it() -> None:
    sounds = (WordSound("eh so", "EY S AO"),)
    assert DICTIONARY.of("a") == [["AH"], ["EY"]]
    assert DICTIONARY.of("nowhere") == []
    for said, now in (("a saw", "a saw"), ("he saw", "eh so")):
        assert written(with_sounds(words(said, each=0.15), phones("EY S AO"), sounds, DICTIONARY.of)) == now


def test_vowels_that_not_everybody_tells_apart_explain_each_other() -> None:
    assert found("wall out", "W AA L AW T") == "wall out"


def test_a_word_does_not_begin_in_the_middle_of_another() -> None:
    sounds = (WordSound("lan jiao", "L AE N JH IY AW"),)
    for before, now in (("P", "hm"), ("B", "hm"), ("AH", "lan jiao"), ("L", "lan jiao"), ("SIL", "lan jiao")):
        heard = phones(f"{before} L AE N JH IY AW")
        assert written(with_sounds(words("hm", each=0.7), heard, sounds, DICTIONARY.of)) == now, before


@pytest.mark.parametrize(
    ("say", "pattern", "valid"),
    [
        ("chee bye", "CH|JH IY UW? B AY|AA", True),
        ("x", "CH IY", True),
        ("x", "CH", False),
        ("x", "CH UW?", False),
        ("", "CH IY", False),
        ("x", "", False),
        ("x", "CH XX", False),
        ("x", "ch iy", False),
        ("x", "CH| IY", False),
        ("x", "(CH)+ IY B", False),
        ("x", ".* IY B", False),
    ],
)
def test_a_pattern_is_phones_and_nothing_else(say: str, pattern: str, *, valid: bool) -> None:
    assert WordSound(say, pattern).is_valid() == valid


def some_speech() -> Iterator[str]:
    """All pairs of phones that are in the patterns, around each match."""
    for before in ("", "T", "AH S", "SIL", "CH"):
        for after in ("", "Z", "AY", "SIL", "CH IY"):
            yield f"{before} CH IY B AY {after}"


def test_a_match_is_found_whatever_stands_around_it() -> None:
    for heard in some_speech():
        said = words("hm", each=1.2)
        assert "chee bye" in written(with_sounds(said, phones(heard), SOUNDS, DICTIONARY.of)), heard


@pytest.mark.parametrize(
    ("said", "now"), [("t bites", "t bites"), ("peachy by", "peachy by"), ("t by", "chee bye"), ("g by", "chee bye")]
)
def test_a_longer_word_that_begins_or_ends_at_the_match_explains_it(said: str, now: str) -> None:
    assert found(said, "CH IY B AY") == now
