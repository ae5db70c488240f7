"""Cursors: where the next page begins, signed together with what was asked for, so that nobody uses one for another
list, or makes one up. Pure."""

import base64
import binascii
import hashlib
import hmac
from collections.abc import Mapping, Sequence
from typing import Any

import orjson

from windmill.core.errors import WindmillError

SIGNATURE_BYTES = 16


class Cursors:
    """Signs with the secret that all gateways of a database share."""

    def __init__(self, secret: bytes) -> None:
        self._secret = secret

    def seal(self, wanted: Mapping[str, Any], last: object) -> str:
        """A cursor for what comes after `last` in the list that was asked for."""
        payload = orjson.dumps(last)
        return base64.urlsafe_b64encode(self._sign(wanted, payload) + payload).decode().rstrip("=")

    def seal_next(self, wanted: Mapping[str, Any], last: object | None) -> str | None:
        """The same, or None after the last page."""
        return None if last is None else self.seal(wanted, last)

    def open(self, wanted: Mapping[str, Any], cursor: str | None) -> Any:  # noqa: ANN401 - what was sealed
        """What was sealed, None without a cursor; raises USAGE if it is not of this list."""
        if cursor is None:
            return None
        try:
            raw = base64.b64decode(cursor + "=" * (-len(cursor) % 4), altchars=b"-_", validate=True)
        except (binascii.Error, ValueError):
            raw = b""
        signature, payload = raw[:SIGNATURE_BYTES], raw[SIGNATURE_BYTES:]
        if not hmac.compare_digest(signature, self._sign(wanted, payload)):
            said = "the cursor is not of this list"
            raise WindmillError("USAGE", said, "ask for the first page again: leave the cursor out")
        return orjson.loads(payload)

    def _sign(self, wanted: Mapping[str, Any], payload: bytes) -> bytes:
        filtered = orjson.dumps(dict(wanted), option=orjson.OPT_SORT_KEYS, default=_plain)
        return hmac.digest(self._secret, len(filtered).to_bytes(8) + filtered + payload, hashlib.sha256)[
            :SIGNATURE_BYTES
        ]


def _plain(value: object) -> object:
    return list(value) if isinstance(value, Sequence) else str(value)
