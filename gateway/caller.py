"""Who asks: a principal with a scope, by a key or, on this machine alone, without one."""

from dataclasses import dataclass
from typing import Literal

from windmill.core.errors import WindmillError
from windmill.storage.api_keys import ApiKey, KeyScope
from windmill.storage.audit_log import Actor

RouteScope = Literal["public", "viewer", "operator", "admin"]
"""What a route asks of whoever calls it; each includes those before it."""
RANKS: dict[RouteScope, int] = {"public": 0, "viewer": 1, "operator": 2, "admin": 3}


@dataclass(frozen=True)
class Caller:
    """`key` is None where no keys were ever made."""

    principal: str
    scope: KeyScope
    key: ApiKey | None = None

    @property
    def sees(self) -> str | None:
        """Whose jobs: its own; an administrator sees all."""
        return None if self.scope == "admin" else self.principal

    def must_be(self, needed: RouteScope) -> None:
        """Raises PERMISSION_DENIED."""
        if RANKS[self.scope] < RANKS[needed]:
            raise WindmillError("PERMISSION_DENIED", f"this needs a key of the scope {needed}; yours is {self.scope}")

    def actor(self, request_id: str) -> Actor:
        """As the audit log names it."""
        return Actor(self.principal, self.key.prefix if self.key else None, request_id)

    def priority(self, wanted: int | None) -> int:
        """The priority of a job; raises PERMISSION_DENIED for one above the highest of the key."""
        if self.key is None:
            return wanted or 0
        if wanted is not None and wanted > self.key.highest_priority:
            said = f"your key may ask for a priority of at most {self.key.highest_priority}"
            raise WindmillError("PERMISSION_DENIED", said)
        return self.key.default_priority if wanted is None else wanted


LOCAL = Caller(principal="", scope="admin")
"""Whoever works on this machine, as long as no keys were made. Its jobs are those of the command line."""
