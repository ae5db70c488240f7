"""What shows that a form comes from a page of ours: a token that no other site can read. Pure."""

import hashlib
import hmac

from gateway.caller import Caller

FIELD = "token"


class FormTokens:
    """Signs with the secret that all gateways of a database share, so any of them takes the form of another."""

    def __init__(self, secret: bytes) -> None:
        self._secret = secret

    def token_of(self, caller: Caller | None) -> str:
        """The token of whoever has this key; None is somebody who has yet to show one."""
        owner = "nobody" if caller is None else caller.key.prefix if caller.key else "local"
        return hmac.new(self._secret, f"form\n{owner}".encode(), hashlib.sha256).hexdigest()[:40]

    def is_good(self, caller: Caller | None, given: object) -> bool:
        return isinstance(given, str) and hmac.compare_digest(given.encode(), self.token_of(caller).encode())
