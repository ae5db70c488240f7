"""Correcting what was misheard: whole tokens, the longest phrase first, in one pass, and never twice.

A phrase that is plain English as well is corrected only if something speaks for it: the recogniser had the word as
another guess, or a particle was said right before or after it. That it was unsure says only that the phrase may be
wrong, not what is right, so by itself it speaks for nothing; but a vulgar word beside a particle needs it as well. Only
what the recogniser itself heard speaks for anything, so what a rule has made leads to nothing more.
"""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from functools import lru_cache
from itertools import pairwise

from windmill.kernels.text.spoken_words import SpokenWord, single_tokens, tokens_of
from windmill.kernels.text.token_automaton import TokenAutomaton, TokenMatch
from windmill.kernels.text.word_list import WordList, WordRule

MOST_PAUSE = 1.0
"""Seconds between two words of one phrase, and to a neighbour."""
_MADE_BY_A_RULE = "\0"
"""Stands for a word that no phrase may contain."""


@lru_cache(maxsize=8)
def _automaton(words: WordList) -> TokenAutomaton:
    return TokenAutomaton([tokens_of(rule.phrase) for rule in words.rules])


def correct(spoken: Sequence[SpokenWord], words: WordList) -> list[SpokenWord]:
    """The words in the order of their times, each by itself; those that a rule has made say which, and what stood
    there."""
    by_speaker: dict[str, list[SpokenWord]] = defaultdict(list)
    for one in single_tokens(spoken):
        by_speaker[one.speaker].append(one)
    found = [word for one in by_speaker.values() for word in _corrected(one, words)]
    return sorted(found, key=lambda one: (one.t0, one.t1, one.speaker))


def _corrected(spoken: Sequence[SpokenWord], words: WordList) -> list[SpokenWord]:
    """Of one speaker."""
    matches, found, at = _matches(spoken, words), [], 0
    while at < len(spoken):
        fitting = next((one for one in matches.get(at, ()) if _holds(one, spoken, words)), None)
        if fitting is None:
            found.append(spoken[at])
            at += 1
        else:
            found.append(_made(spoken[fitting.start : fitting.end], words.rules[fitting.phrase]))
            at = fitting.end
    return found


def _matches(spoken: Sequence[SpokenWord], words: WordList) -> Mapping[int, Sequence[TokenMatch]]:
    """By where they begin, the longest first."""
    tokens = [_MADE_BY_A_RULE if one.rule else one.token for one in spoken]
    found: dict[int, list[TokenMatch]] = defaultdict(list)
    for match in _automaton(words).matches(tokens):
        found[match.start].append(match)
    return {start: sorted(those, key=lambda one: -one.end) for start, those in found.items()}


def _holds(match: TokenMatch, spoken: Sequence[SpokenWord], words: WordList) -> bool:
    said = spoken[match.start : match.end]
    if any(after.t0 - before.t1 > MOST_PAUSE for before, after in pairwise(said)):
        return False
    rule = words.rules[match.phrase]
    if rule.risk == "none" or [rule.becomes] == [one.token for one in said]:
        return True
    if _guessed(said, rule):
        return True
    unsure = min(one.confidence for one in said) < words.low_confidence
    return beside_particle(spoken, match.start, match.end, words) and (unsure or not words.is_vulgar(rule.becomes))


def _guessed(said: Sequence[SpokenWord], rule: WordRule) -> bool:
    return any(rule.becomes in tokens_of(guess) for one in said for guess in one.alternatives)


def beside_particle(spoken: Sequence[SpokenWord], start: int, end: int, words: WordList) -> bool:
    """Whether a particle was heard right before or after these words."""
    before = spoken[start - 1] if start else None
    after = spoken[end] if end < len(spoken) else None
    return bool(
        (before and _is_particle(before, words) and spoken[start].t0 - before.t1 <= MOST_PAUSE)
        or (after and _is_particle(after, words) and after.t0 - spoken[end - 1].t1 <= MOST_PAUSE)
    )


def _is_particle(one: SpokenWord, words: WordList) -> bool:
    return one.rule is None and one.token in words.particles


def _made(said: Sequence[SpokenWord], rule: WordRule) -> SpokenWord:
    raw = " ".join(one.word for one in said)
    if [one.token for one in said] == [rule.becomes]:
        return said[0]
    return SpokenWord(
        t0=said[0].t0,
        t1=said[-1].t1,
        word=rule.becomes,
        confidence=min(one.confidence for one in said),
        speaker=said[0].speaker,
        rule=rule.id,
        raw=raw,
    )
