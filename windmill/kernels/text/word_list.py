"""Lists of words that are counted, and of rules that correct what was misheard: data with a version."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Literal, get_args

from windmill.kernels.audio.word_sounds import WordSound
from windmill.kernels.text.json_readers import DocumentInvalid, Mistake, unknown_keys
from windmill.kernels.text.spoken_words import tokens_of

Risk = Literal["none", "plain"]
"""`plain`: it is plain English as well, so something has to speak for it."""
StrictForm = Literal["substring", "word"]
Category = Literal["vulgar", "particle", "colloquial"]


@dataclass(frozen=True)
class WordRule:
    """`phrase` was heard, `becomes` was said. `strict` is how the first version of the list looked for it."""

    id: str
    phrase: str
    becomes: str
    risk: Risk = "none"
    strict: StrictForm = "substring"


@dataclass(frozen=True)
class TargetWord:
    """A word that is counted."""

    word: str
    category: Category
    emoji: str = ""
    risk: Risk = "none"


@dataclass(frozen=True)
class WordList:
    """All of a list; below `low_confidence` a recogniser is taken to be unsure. One that can tell phones writes down
    `sounds` as phrases, which rules then correct."""

    name: str
    version: int
    low_confidence: float
    rules: tuple[WordRule, ...]
    words: tuple[TargetWord, ...]
    sounds: tuple[WordSound, ...] = ()

    @cached_property
    def targets(self) -> Mapping[str, TargetWord]:
        return {word.word: word for word in self.words}

    @cached_property
    def particles(self) -> frozenset[str]:
        return frozenset(word.word for word in self.words if word.category == "particle")

    def is_vulgar(self, word: str) -> bool:
        target = self.targets.get(word)
        return target is not None and target.category == "vulgar"


_KEYS = ("name", "version", "description", "low_confidence", "rules", "words", "sounds")
_RULE_KEYS = ("id", "phrase", "becomes", "risk", "strict")
_WORD_KEYS = ("word", "category", "emoji", "risk")
_SOUND_KEYS = ("say", "phones")


def read_word_list(document: Mapping[str, Any]) -> WordList:
    """Raises DocumentInvalid with every mistake."""
    mistakes = [*unknown_keys(document, "", dict.fromkeys(_KEYS)), *_mistakes_of_parts(document)]
    if mistakes:
        raise DocumentInvalid(mistakes)
    found = WordList(
        name=str(document["name"]),
        version=int(document["version"]),
        low_confidence=float(document.get("low_confidence", 0.5)),
        rules=tuple(WordRule(**rule) for rule in document["rules"]),
        words=tuple(TargetWord(**word) for word in document["words"]),
        sounds=tuple(WordSound(str(one["say"]), str(one["phones"])) for one in document.get("sounds", ())),
    )
    if wrong := _mistakes(found):
        raise DocumentInvalid(wrong)
    return found


def _mistakes_of_parts(document: Mapping[str, Any]) -> list[Mistake]:
    missing = [Mistake(key, None, "is missing") for key in ("name", "version", "rules", "words") if key not in document]
    parts = [
        ("rules", _RULE_KEYS, ("id", "phrase", "becomes")),
        ("words", _WORD_KEYS, ("word", "category")),
        ("sounds", _SOUND_KEYS, _SOUND_KEYS),
    ]
    for name, allowed, needed in parts:
        for place, one in enumerate(document.get(name, ())):
            key = f"{name}[{place}]"
            missing += unknown_keys(one, f"{key}.", dict.fromkeys(allowed))
            missing += [Mistake(f"{key}.{want}", None, "is missing") for want in needed if want not in one]
    return missing


def _mistakes(found: WordList) -> list[Mistake]:
    ids = [rule.id for rule in found.rules]
    twice = [Mistake("rules", one, "is the id of two rules") for one in sorted(set(ids)) if ids.count(one) > 1]
    return [*twice, *_rule_mistakes(found.rules), *_word_mistakes(found.words), *_sound_mistakes(found.sounds)]


def _rule_mistakes(rules: Sequence[WordRule]) -> list[Mistake]:
    wrong = []
    for place, rule in enumerate(rules):
        if not tokens_of(rule.phrase) or len(tokens_of(rule.becomes)) != 1:
            wrong.append(Mistake(f"rules[{place}]", rule.id, "needs a phrase, and one word that it becomes"))
        if rule.risk not in get_args(Risk) or rule.strict not in get_args(StrictForm):
            wrong.append(Mistake(f"rules[{place}]", rule.id, "has a risk or a strict form that there is not"))
    return wrong


def _word_mistakes(words: Sequence[TargetWord]) -> list[Mistake]:
    wrong = []
    for place, word in enumerate(words):
        if tokens_of(word.word) != [word.word]:
            wrong.append(Mistake(f"words[{place}].word", word.word, "must be one word in small letters"))
        if word.category not in get_args(Category) or word.risk not in get_args(Risk):
            wrong.append(Mistake(f"words[{place}]", word.word, "has a category or a risk that there is not"))
    return wrong


def _sound_mistakes(sounds: Sequence[WordSound]) -> list[Mistake]:
    return [
        Mistake(
            f"sounds[{place}]", sound.phones, "needs something to say, and two phones of the CMU dictionary or more"
        )
        for place, sound in enumerate(sounds)
        if not sound.is_valid()
    ]
