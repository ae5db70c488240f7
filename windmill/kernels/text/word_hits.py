"""The wanted words of a talk, each with its time, its speaker, and the rule that it comes from."""

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from windmill.kernels.text.corrections import beside_particle, correct
from windmill.kernels.text.spoken_words import SpokenWord
from windmill.kernels.text.strict_counts import strict_counts
from windmill.kernels.text.word_list import WordList


@dataclass(frozen=True)
class WordHit:
    """A wanted word: `corrected` is the word, `raw` what was heard, `rule` what made one of the other."""

    speaker: str
    corrected: str
    raw: str
    rule: str | None
    t0: float
    t1: float
    confidence: float


@dataclass(frozen=True)
class CountedTalk:
    """What was said as it is shown, and the wanted words in it."""

    words: Sequence[SpokenWord]
    hits: Sequence[WordHit]


def count_talk(spoken: Sequence[SpokenWord], words: WordList, *, strict: bool = False) -> CountedTalk:
    """Correct and count. `strict` counts as the first version of the lists did: in the text of each speaker's turns, by
    substrings."""
    corrected = correct(spoken, words)
    return CountedTalk(corrected, _strict_hits(spoken, words) if strict else _hits(corrected, words))


def counts_of(hits: Sequence[WordHit]) -> Mapping[str, Counter[str]]:
    """How often each speaker said each word."""
    found: dict[str, Counter[str]] = defaultdict(Counter)
    for hit in hits:
        found[hit.speaker][hit.corrected] += 1
    return found


def _hits(corrected: Sequence[SpokenWord], words: WordList) -> list[WordHit]:
    by_speaker: dict[str, list[SpokenWord]] = defaultdict(list)
    for one in corrected:
        by_speaker[one.speaker].append(one)
    found = [_hit(one) for said in by_speaker.values() for at, one in enumerate(said) if _counts(said, at, words)]
    return sorted(found, key=lambda hit: (hit.t0, hit.t1, hit.speaker))


def _counts(said: Sequence[SpokenWord], at: int, words: WordList) -> bool:
    target = words.targets.get(said[at].token)
    if target is None:
        return False
    return target.risk == "none" or said[at].rule is not None or beside_particle(said, at, at + 1, words)


def _hit(one: SpokenWord) -> WordHit:
    return WordHit(one.speaker, one.token, one.raw or one.word, one.rule, one.t0, one.t1, one.confidence)


def _strict_hits(spoken: Sequence[SpokenWord], words: WordList) -> list[WordHit]:
    """All words of a turn have the times of the turn."""
    return [
        WordHit(turn[0].speaker, word, "", None, turn[0].t0, turn[-1].t1, min(one.confidence for one in turn))
        for turn in turns_of(spoken)
        for word, number in sorted(strict_counts(" ".join(one.word for one in turn), words).items())
        for _ in range(number)
    ]


def turns_of(spoken: Sequence[SpokenWord]) -> list[list[SpokenWord]]:
    """Words that follow each other from one speaker."""
    found: list[list[SpokenWord]] = []
    for one in sorted(spoken, key=lambda word: (word.t0, word.t1)):
        if not found or found[-1][-1].speaker != one.speaker:
            found.append([])
        found[-1].append(one)
    return found
