"""The keys as the gateway looks them up: for a second it believes what it read, so a busy key costs no query each time,
and a key that is revoked elsewhere is refused a second later."""

import time
from collections.abc import Callable
from dataclasses import dataclass

from windmill.core.errors import WindmillError
from windmill.core.setting_parts import DatabaseSettings
from windmill.operate.keys.key_text import hash_of, prefix_of, same_hash
from windmill.storage.api_keys import ApiKey, find_key, is_there_any_key, note_key_use
from windmill.storage.database import Pool
from windmill.storage.transactions import transaction

BELIEVED_SECONDS = 1.0
MOST = 10_000
USE_SECONDS = 60.0


@dataclass(frozen=True)
class _Known:
    key: ApiKey
    until: float


class KeyRing:
    """Finds keys by their text. Mutable."""

    def __init__(self, pool: Pool, settings: DatabaseSettings, clock: Callable[[], float] = time.monotonic) -> None:
        self._pool, self._settings, self._clock = pool, settings, clock
        self._known: dict[bytes, _Known] = {}
        self._noted: dict[str, float] = {}
        self._required = False
        self._looked_at = float("-inf")

    async def required(self) -> bool:
        """Whether a key is needed: from the first one on that was ever made."""
        if not self._required and self._clock() - self._looked_at >= BELIEVED_SECONDS:
            async with transaction(self._pool, self._settings) as connection:
                self._required = await is_there_any_key(connection)
            self._looked_at = self._clock()
        return self._required

    async def find(self, text: str) -> ApiKey:
        """The key; raises AUTH_INVALID or AUTH_EXPIRED."""
        known = self._known.get(hash_of(text))
        if known is None or known.until <= self._clock():
            known = await self._read(text)
        return known.key

    def forget(self) -> None:
        """A key has changed, here."""
        self._known.clear()
        self._looked_at = float("-inf")

    async def _read(self, text: str) -> _Known:
        prefix = prefix_of(text)
        async with transaction(self._pool, self._settings) as connection:
            key = await find_key(connection, prefix) if prefix else None
            good = same_hash(text, key.hash if key else None, key.old_hash if key else None)
            if key is None or not good or key.revoked:
                raise WindmillError("AUTH_INVALID", "the key is not good")
            if key.expired:
                raise WindmillError("AUTH_EXPIRED", "the key has expired")
            if self._clock() - self._noted.get(key.prefix, float("-inf")) >= USE_SECONDS:
                await note_key_use(connection, key.prefix)
                self._noted[key.prefix] = self._clock()
        if len(self._known) >= MOST:
            self._known.clear()
        known = self._known[hash_of(text)] = _Known(key, self._clock() + BELIEVED_SECONDS)
        return known
