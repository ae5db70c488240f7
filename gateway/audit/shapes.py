"""The audit log outside."""

from datetime import datetime
from typing import Annotated, Any

from pydantic import Field

from gateway.shape import PageQuery, Shape

Text = Annotated[str, Field(max_length=200)]


class AuditEntry(Shape):
    """Who changed what, from what to what; `key_prefix` is null for what was asked without a key."""

    audit_id: int
    at: datetime
    principal: str
    key_prefix: str | None
    request_id: str
    action: str
    subject: str
    before: dict[str, Any] | None
    after: dict[str, Any] | None


class AuditList(Shape):
    entries: list[AuditEntry]
    count: int
    next_cursor: str | None


class AuditQuery(PageQuery):
    principal: Text | None = None
    subject: Text | None = None
    action: Text | None = None
