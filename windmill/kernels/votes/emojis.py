"""Emojis that mean the same thing, however they are spelt."""

import re
from collections.abc import Mapping

PERSON, FACE, TEXT, NSFW = "🧑", "🙂", "💬", "🔞"
SPECIAL = frozenset({FACE, TEXT, NSFW})
"""What only a specialist looks for."""

_PERSONS = frozenset("🧑👩👨🧒👶👧👦🧓👴👵")
# How an emoji is to be drawn, and the tones of skin.
_MODIFIERS = re.compile("[\ufe00-\ufe0f\u180b-\u180d\U000e0100-\U000e01ef\U0001f3fb-\U0001f3ff]")
_JOINER, _PICTURE = "\u200d", "\ufe0f"
# Behind a joiner stands more of the same (a dog in service is a dog); only a flag is nothing without it.
_FLAGS = frozenset("🏳🏴")
_HALF_PAIR = re.compile("[\ud800-\udfff]")
_LONGEST = 32


def group_of(emoji: object) -> str | None:
    """What an emoji is counted as; None for what is no emoji."""
    if not isinstance(emoji, str) or len(emoji) > _LONGEST or _HALF_PAIR.search(emoji):
        return None
    bare = _MODIFIERS.sub("", emoji.strip())
    head = bare.split(_JOINER, 1)[0]
    if head in _PERSONS:
        return PERSON
    whole = bare if head in _FLAGS else head
    return None if whole.isascii() else whole


def shown_as(group: str, spellings: Mapping[str, int]) -> str:
    """How a group is written: its commonest spelling, of equally common ones that which asks for a picture.

    Persons always have the same head, whoever they are.
    """
    if group == PERSON or not spellings:
        return group
    return min(spellings, key=lambda spelt: (-spellings[spelt], _PICTURE not in spelt, len(spelt), spelt))
