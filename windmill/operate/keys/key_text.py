"""What a key looks like: `wm_`, eight letters that name it, and a secret of 256 random bits. Pure but for the dice."""

import base64
import hashlib
import hmac
import re
import secrets
from dataclasses import dataclass

_KEY = re.compile(r"(wm_[a-z2-7]{8})_[A-Za-z0-9_-]{43}")


@dataclass(frozen=True)
class KeyText:
    """A key as it is told, once; its repr does not tell it."""

    prefix: str
    text: str

    def __repr__(self) -> str:
        return f"KeyText({self.prefix})"


def new_key_text(prefix: str | None = None) -> KeyText:
    """A new key, or a new secret for the key of this name."""
    named = prefix or f"wm_{base64.b32encode(secrets.token_bytes(5)).decode().lower()}"
    return KeyText(named, f"{named}_{secrets.token_urlsafe(32)}")


def prefix_of(text: str) -> str | None:
    """The name of a key; None if this can be none."""
    found = _KEY.fullmatch(text)
    return found[1] if found else None


def hash_of(text: str) -> bytes:
    """No salt and no stretching: nobody can try 2**256 secrets, and a key is looked at with each request."""
    return hashlib.sha256(text.encode()).digest()


def same_hash(text: str, *hashes: bytes | None) -> bool:
    """Whether the key has one of these hashes; how long it takes tells nothing of them."""
    own = hash_of(text)
    return any([hmac.compare_digest(own, one or b"") for one in hashes])
