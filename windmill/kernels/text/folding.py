"""Text as it is searched for: without case and accents, so that `cafe` finds `Café`, whatever the database can do."""

import re
import unicodedata

_SPACE = re.compile(r"\s+")


def fold(text: str) -> str:
    """One line in lower case without accents, and without what PostgreSQL does not store."""
    plain = unicodedata.normalize("NFKD", text.replace("\0", " "))
    bare = "".join(one for one in plain if not unicodedata.combining(one) and not _is_dropped(one))
    return _SPACE.sub(" ", bare.casefold()).strip()


def _is_dropped(character: str) -> bool:
    """Half a surrogate pair; and the mark that asks for a coloured emoji, which few people type."""
    return "\ud800" <= character <= "\udfff" or character == "\ufe0f"
