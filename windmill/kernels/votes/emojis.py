"""Emoji groups: spellings and variants that mean the same."""

import re
from collections.abc import Mapping
from functools import lru_cache

PERSON, FACE, TEXT, NSFW = "🧑", "🙂", "💬", "🔞"
SPECIAL = frozenset({FACE, TEXT, NSFW})
"""Emojis that only specialists report."""

_PERSONS = frozenset("🧑👩👨🧒👶👧👦🧓👴👵")
# Variation selectors and skin tones.
_MODIFIERS = re.compile("[\ufe00-\ufe0f\u180b-\u180d\U000e0100-\U000e01ef\U0001f3fb-\U0001f3ff]")
_JOINER, _PICTURE = "\u200d", "\ufe0f"
# What follows a joiner is a refinement (a service dog is a dog), except in flags.
_FLAGS = frozenset("🏳🏴")
_HALF_PAIR = re.compile("[\ud800-\udfff]")
_MAX_LENGTH = 32


def group_of(emoji: object) -> str | None:
    """The group that an emoji counts for; None if it is not an emoji."""
    return _group_of(emoji) if isinstance(emoji, str) and len(emoji) <= _MAX_LENGTH else None


@lru_cache(maxsize=4096)
def _group_of(emoji: str) -> str | None:
    if _HALF_PAIR.search(emoji):
        return None
    bare = _MODIFIERS.sub("", emoji).strip()
    head = bare.split(_JOINER, 1)[0].strip()
    if head in _PERSONS:
        return PERSON
    whole = bare if head in _FLAGS else head
    return None if whole.isascii() else whole


def render_emoji(group: str, spellings: Mapping[str, int]) -> str:
    """The text of a group: its most common spelling; on a tie the one with emoji presentation. Persons always look the
    same.
    """
    if group == PERSON or not spellings:
        return group
    return min(spellings, key=lambda spelt: (-spellings[spelt], _PICTURE not in spelt, len(spelt), spelt))
