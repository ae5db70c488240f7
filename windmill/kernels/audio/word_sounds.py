"""Words that a recogniser does not know, found by how they sound: phones of a phone recogniser against patterns.

A pattern is phones of the CMU dictionary, one after the other; `|` stands between those that will do, and one with `?`
may be missing: `CH|JH IY B AY|AA`. A match is taken only if the words that were written there do not sound just so
themselves, or with one phone more, which speech may swallow: who says `a cheap buy`, and is written down that way, has
said nothing else.
"""

import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from itertools import islice, product

from windmill.kernels.audio.heard_words import HeardWord

Pronounce = Callable[[str], Sequence[Sequence[str]]]
"""The ways to say a word, as phones; none if it is not known."""
_VOWELS = ("AA", "AE", "AH", "AO", "AW", "AY", "EH", "ER", "EY", "IH", "IY", "OW", "OY", "UH", "UW")
_STOPS = ("B", "CH", "D", "G", "JH", "K", "P", "T")
_OTHERS = ("DH", "F", "HH", "L", "M", "N", "NG", "R", "S", "SH", "TH", "V", "W", "Y", "Z", "ZH")
PHONES = frozenset((*_VOWELS, *_STOPS, *_OTHERS))
_NO_PHONE = "#"
_ALIKE = {"AO": "AA", "EH": "AE", "IH": "IY", "UH": "UW"}
"""Vowels that not everybody tells apart."""
_BLENDS = {"L": "BFGKPS", "R": "BFGKPT", "W": "GKST"}
"""A phone that begins a match belongs to the word before, if one of these stands before it: `lan` is not in `plan`."""
_AROUND = 0.25
"""Seconds by which times of words are off."""
_MOST_WAYS = 64
_ITEM = re.compile(r"[A-Z]{1,2}(\|[A-Z]{1,2})*\??")


@dataclass(frozen=True)
class HeardPhone:
    """A phone from `t0` to `t1` seconds; silence and noise are phones of other names."""

    t0: float
    t1: float
    phone: str


@dataclass(frozen=True)
class WordSound:
    """What sounds like this is written as `say`."""

    say: str
    phones: str

    @cached_property
    def pattern(self) -> re.Pattern[str]:
        """For phones with a blank after each."""
        return re.compile("(?<!\\S)" + "".join(_part(item) for item in self.phones.split()))

    def is_valid(self) -> bool:
        """Whether it has something to say, and two phones or more that are always there."""
        items = self.phones.split()
        known = all(_ITEM.fullmatch(item) and PHONES.issuperset(item.rstrip("?").split("|")) for item in items)
        return bool(self.say.split()) and known and sum(not item.endswith("?") for item in items) > 1


def with_sounds(
    words: Sequence[HeardWord], phones: Sequence[HeardPhone], sounds: Sequence[WordSound], pronounce: Pronounce
) -> list[HeardWord]:
    """The words, with those that sound like one of these in place of what was written there. Where nothing was written,
    nobody spoke."""
    found = list(words)
    for match in _matches(phones, sounds):
        near = [word for word in found if word.t0 < match.t1 + _AROUND and word.t1 > match.t0 - _AROUND]
        if near and not _is_explained(match, near, pronounce):
            found = _replaced(found, match)
    return found


@dataclass(frozen=True)
class _Match:
    t0: float
    t1: float
    say: str
    heard: tuple[str, ...]


def _matches(phones: Sequence[HeardPhone], sounds: Sequence[WordSound]) -> list[_Match]:
    """In the order of their times; of two that overlap the earlier one."""
    names = [one.phone if one.phone in PHONES else _NO_PHONE for one in phones]
    text = "".join(f"{name} " for name in names)
    found = []
    for sound in sounds:
        for match in sound.pattern.finditer(text):
            first, last = text.count(" ", 0, match.start()), text.count(" ", 0, match.end()) - 1
            if first and names[first - 1] in _BLENDS.get(names[first], ""):
                continue
            found.append(_Match(phones[first].t0, phones[last].t1, sound.say, tuple(names[first : last + 1])))
    kept: list[_Match] = []
    for one in sorted(found, key=lambda match: (match.t0, match.t1, match.say)):
        if not kept or one.t0 >= kept[-1].t1:
            kept.append(one)
    return kept


def _is_explained(match: _Match, words: Sequence[HeardWord], pronounce: Pronounce) -> bool:
    """Whether what was written sounds so as well, or has a longer word for its end or its beginning: who was heard to
    say `she bites` has not said `bye`."""
    wanted = _plain(match.heard)
    end, begin = _plain(match.heard[-2:]), _plain(match.heard[:2])
    ways = {_plain(way) for word in words for token in _tokens(word) for way in pronounce(token)}
    if any(way.startswith(end) for way in ways - {end}) or any(way.endswith(begin) for way in ways - {begin}):
        return True
    for phones in _ways(words, pronounce):
        shorter = (phones[:place] + phones[place + 1 :] for place in range(len(phones)))
        if any(wanted in _plain(one) for one in (phones, *shorter)):
            return True
    return False


def _ways(words: Sequence[HeardWord], pronounce: Pronounce) -> Iterator[tuple[str, ...]]:
    """The ways to say these words one after the other."""
    known = [pronounce(token) or [(_NO_PHONE,)] for word in words for token in _tokens(word)]
    for way in islice(product(*known), _MOST_WAYS):
        yield tuple(phone for part in way for phone in part)


def _tokens(word: HeardWord) -> list[str]:
    return re.findall(r"[a-z']+", word.word.lower())


def _plain(phones: Sequence[str]) -> str:
    """Alike vowels as one; and two of a kind in a row are said as one."""
    names = [_ALIKE.get(phone, phone) for phone in phones]
    return "".join(f" {name}" for place, name in enumerate(names) if place == 0 or name != names[place - 1]) + " "


def _replaced(words: Sequence[HeardWord], match: _Match) -> list[HeardWord]:
    """Words most of which is within the match give way, and others end or begin at it, so that the new ones follow each
    other. What was written there is an alternative of the first new one."""
    gone = [word for word in words if _share_within(word, match) > 0.5]
    kept = [_beside(word, match) for word in words if word not in gone]
    written, said = " ".join(word.word for word in gone), match.say.split()
    step = (match.t1 - match.t0) / len(said)
    times = [(match.t0 + place * step, match.t0 + (place + 1) * step) for place in range(len(said))]
    new = [HeardWord(t0, t1, word) for word, (t0, t1) in zip(said, times, strict=True)]
    new[0] = replace(new[0], alternatives=(written,) if written else ())
    return sorted([*kept, *new], key=lambda word: (word.t0, word.t1))


def _beside(word: HeardWord, match: _Match) -> HeardWord:
    if word.t1 <= match.t0 or word.t0 >= match.t1:
        return word
    if word.t0 + word.t1 < match.t0 + match.t1:
        return replace(word, t0=min(word.t0, match.t0), t1=match.t0)
    return replace(word, t0=match.t1, t1=max(word.t1, match.t1))


def _share_within(word: HeardWord, match: _Match) -> float:
    common = min(word.t1, match.t1) - max(word.t0, match.t0)
    return common / max(word.t1 - word.t0, 1e-3)


def _part(item: str) -> str:
    one = f"(?:{item.rstrip('?')}) "
    return f"(?:{one})?" if item.endswith("?") else one


class Pronunciations:
    """The CMU dictionary: a word and its phones a line, further ways to say it as `word(2)`."""

    def __init__(self, lines: Iterable[str]) -> None:
        self._known: dict[str, str] = {}
        for line in lines:
            word, _, phones = line.partition(" ")
            name = word.partition("(")[0]
            self._known[name] = f"{self._known[name]}|{phones}" if name in self._known else phones

    def of(self, word: str) -> list[list[str]]:
        """The ways to say a word; none if it is not known."""
        return [phones.split() for phones in self._known.get(word, "").split("|") if phones]
