"""What was misheard is corrected, and plain English is left alone."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as some

from tests.unit.kernels.talk_text import SINGLISH, said
from windmill.kernels.text.corrections import correct
from windmill.kernels.text.spoken_words import SpokenWord
from windmill.kernels.text.strict_counts import strict_counts, strict_text
from windmill.kernels.text.word_hits import count_talk, counts_of
from windmill.kernels.text.word_list import WordRule

PLAIN = (
    "see you at lunch hour",
    "cheap buy",
    "she ok",
    "I see an apple",
    "he shook hands",
    "low price",
    "aloha",
    "mah jong",
    "salah",
    "Asian",
    "we waited a while up there",
    "la scala",
    "see another one, see yard",
    "she okay",
    "can you help me",
)
RULES = [rule for rule in SINGLISH.rules if not rule.id.endswith("_word") or rule.phrase in ("la", "low", "seh")]
"""One for each phrase: those that stand in both lists are found by the first."""


def shown(words: list[SpokenWord]) -> str:
    return " ".join(one.word for one in words)


SENTENCE = (
    "see you at lunch hour, cheap buy, she ok, I see an apple, he shook hands, low price, aloha, mah jong, salah, Asian"
)


@pytest.mark.parametrize("text", [*PLAIN, SENTENCE])
@pytest.mark.parametrize("confidence", [0.0, 0.01, 0.1, 0.3, 0.49, 0.5, 0.7, 0.95, 1.0])
def test_plain_english_has_no_vulgar_word_and_no_invented_one_however_unsure_the_recogniser_was(
    text: str, confidence: float
) -> None:
    found = count_talk(said(text, confidence=confidence), SINGLISH)
    assert [hit for hit in found.hits if hit.corrected != "can" or hit.rule] == []
    assert [one.rule for one in found.words if one.rule] == []


@given(some.lists(some.floats(0, 1), min_size=23, max_size=23))
def test_a_sentence_of_plain_english_stays_as_it_is_at_any_confidence_of_each_word(confidences: list[float]) -> None:
    words = [replace(word, confidence=one) for word, one in zip(said(SENTENCE), confidences, strict=True)]
    found = count_talk(words, SINGLISH)
    assert not found.hits
    assert not [one for one in found.words if one.rule]


VULGAR = [rule for rule in SINGLISH.rules if rule.risk == "plain" and SINGLISH.is_vulgar(rule.becomes)]


@pytest.mark.parametrize("rule", VULGAR, ids=lambda rule: rule.id)
def test_a_vulgar_word_is_made_of_plain_english_only_by_a_guess_or_by_doubt_beside_a_particle(rule: WordRule) -> None:
    def made(words: list[SpokenWord]) -> bool:
        return any(hit.corrected == rule.becomes for hit in count_talk(words, SINGLISH).hits)

    assert not made(said(f"today {rule.phrase} lah", confidence=0.9))
    assert not made(said(f"today {rule.phrase} then", confidence=0.1))
    assert made(said(f"today {rule.phrase} lah", confidence=0.1))
    assert made(said(f"today {rule.phrase} then", confidence=0.9, guesses=[rule.becomes]))


def test_the_list_has_the_rules_and_words_of_its_first_version() -> None:
    strict = [rule.strict for rule in SINGLISH.rules]
    assert (strict.count("substring"), strict.count("word"), len(SINGLISH.words)) == (31, 5, 20)


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.id)
def test_each_rule_corrects_its_phrase_where_something_speaks_for_it(rule: WordRule) -> None:
    beside = said(f"today {rule.phrase} lah", confidence=0.3)
    for words in (beside, said(f"today {rule.phrase} then", guesses=[rule.becomes])):
        found = [one for one in correct(words, SINGLISH) if one.word.lower() == rule.becomes]
        assert found, shown(words)
        if rule.phrase != rule.becomes:
            assert (found[0].rule, found[0].raw) == (rule.id, rule.phrase)


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.id)
def test_each_rule_leaves_its_letters_alone_inside_of_other_words(rule: WordRule) -> None:
    """With every evidence there is: what is missing are whole words."""
    inside = " ".join(f"x{word}x" for word in rule.phrase.split())
    words = said(f"lah {inside} lah", confidence=0.1, guesses=[rule.becomes])
    assert shown(correct(words, SINGLISH)) == f"lah {inside} lah"


@pytest.mark.parametrize("rule", [one for one in RULES if one.risk == "plain"], ids=lambda rule: rule.id)
def test_what_is_plain_english_needs_something_that_speaks_for_it(rule: WordRule) -> None:
    for confidence in (0.0, 0.3, 0.95):
        words = said(f"today {rule.phrase} then", confidence=confidence)
        assert all(one.rule is None for one in correct(words, SINGLISH))


def test_a_pause_parts_a_phrase_and_a_particle_from_its_neighbour() -> None:
    early, late = SpokenWord(0, 0.5, "wah"), SpokenWord(3, 3.5, "lao")
    assert shown(correct([early, late], SINGLISH)) == "wah lao"
    shook, particle = SpokenWord(0, 0.5, "shook"), SpokenWord(3, 3.5, "lah")
    assert shown(correct([shook, particle], SINGLISH)) == "shook lah"


def test_words_of_two_speakers_are_never_one_phrase() -> None:
    words = [SpokenWord(0, 0.5, "wah", speaker="A"), SpokenWord(0.5, 1, "lao", speaker="B")]
    assert shown(correct(words, SINGLISH)) == "wah lao"


def test_the_longest_phrase_goes_first_and_signs_do_not_matter() -> None:
    assert shown(correct(said("Wah, low! lor"), SINGLISH)) == "walao lor"


def test_each_hit_says_what_was_heard_when_and_by_which_rule() -> None:
    (hit, lah) = count_talk(said("pie say lah"), SINGLISH).hits
    assert (hit.corrected, hit.raw, hit.rule, hit.t0, hit.t1, hit.confidence) == (
        *("paiseh", "pie say", "pie_say", 0.0, 1.0, 0.95),
    )
    assert (lah.corrected, lah.raw, lah.rule) == ("lah", "lah", None)


VOCABULARY = [*{word for rule in SINGLISH.rules for word in rule.phrase.split()}, "walao", "meh", "ah", "x", "lah-lah"]
TALK = some.lists(
    some.builds(
        lambda word, confidence, pause, guess: (word, confidence, pause, guess),
        some.sampled_from(VOCABULARY),
        some.sampled_from([0.1, 0.9]),
        some.sampled_from([0.0, 0.4, 2.0]),
        some.sampled_from(["", "walao", "sia"]),
    ),
    max_size=14,
)


@given(TALK)
def test_correcting_twice_changes_nothing(talk: list[tuple[str, float, float, str]]) -> None:
    words, now = [], 0.0
    for word, confidence, pause, guess in talk:
        now += pause
        words.append(SpokenWord(now, now + 0.3, word, confidence, "A", (guess,) if guess else ()))
        now += 0.3
    once = correct(words, SINGLISH)
    assert correct(once, SINGLISH) == once
    assert count_talk(once, SINGLISH).hits == count_talk(words, SINGLISH).hits


@pytest.mark.parametrize(
    ("text", "counts"),
    [
        ("see you at lunch hour", {"lanjiao": 1}),
        ("I see an apple", {"sian": 1}),
        ("he shook hands", {"shiok": 1}),
        ("low price", {"lor": 1}),
        ("see another", {}),
        ("aloha salah Asian", {}),
        ("shiok! lah-lah 2can", {"shiok": 1, "lah": 2, "can": 1}),
        ("cannot leh", {"lah": 1}),
    ],
)
def test_the_strict_mode_counts_as_the_first_version_did(text: str, counts: dict[str, int]) -> None:
    found = counts_of(count_talk(said(text), SINGLISH, strict=True).hits)
    assert dict(found.get("A", {})) == counts


SUBSTRINGS = [rule for rule in SINGLISH.rules if rule.strict == "substring"]


@pytest.mark.parametrize("rule", SUBSTRINGS, ids=lambda rule: rule.id)
def test_the_strict_mode_replaces_each_phrase_by_itself_and_inside_of_other_words(rule: WordRule) -> None:
    assert strict_text(f"then {rule.phrase} today", SINGLISH) == f"then {rule.becomes} today"
    assert strict_text(f"q{rule.phrase}q", SINGLISH) == f"q{rule.becomes}q"
    alone, inside = (strict_counts(text, SINGLISH) for text in (f"then {rule.phrase} today", f"q{rule.phrase}q"))
    assert (alone, inside) == ({rule.becomes: 1}, {})


def test_each_speaker_has_counts_of_their_own() -> None:
    words = [*said("lah lah", speaker="A"), *said("sia lah", speaker="B")]
    assert {who: dict(one) for who, one in counts_of(count_talk(words, SINGLISH).hits).items()} == {
        "A": {"lah": 2},
        "B": {"sia": 1, "lah": 1},
    }
