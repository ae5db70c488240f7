"""Who changed what, for administrators."""

from dataclasses import dataclass
from typing import Annotated, Any

from fastapi import Query, Request, Response

from gateway.audit.shapes import AuditEntry
from gateway.context import Context
from gateway.guard import Admin
from gateway.pages.audit.changes import Change, changes_of
from gateway.pages.page_route import page_router
from gateway.pages.paging import Cursor, older_than
from gateway.pages.rendering import Shown, page
from windmill.operate.audit import AuditFilter, page_of_audit

router = page_router()
ROWS = 50
Text = Annotated[str, Query(max_length=200)]


@dataclass(frozen=True)
class AuditLine:
    """An entry, and what it changed, field by field."""

    entry: AuditEntry
    changes: list[Change]


@dataclass(frozen=True)
class AuditView:
    lines: list[AuditLine]
    filters: dict[str, str]
    older: str
    first: str


@router.get("/ui/audit")
async def audit(
    request: Request,
    gateway: Context,
    _: Admin,
    principal: Text = "",
    subject: Text = "",
    action: Text = "",
    cursor: Cursor = None,
) -> Response:
    """The newest first."""
    filters = {"principal": principal.strip(), "subject": subject.strip(), "action": action.strip()}
    chosen = AuditFilter(*(value or None for value in filters.values()))
    wanted: dict[str, Any] = {"list": "audit", **filters}
    before = gateway.cursors.open(wanted, cursor)
    rows = await page_of_audit(gateway.access.pool, gateway.settings, chosen, before, ROWS)
    entries = [AuditEntry.model_validate(row) for row in rows]
    last = entries[-1].audit_id if len(entries) == ROWS else None
    older = older_than("/ui/audit", gateway.cursors.seal_next(wanted, last), filters)
    lines = [AuditLine(one, changes_of(one.before, one.after)) for one in entries]
    view = AuditView(lines, filters, older, "/ui/audit" if cursor else "")
    return page(request, Shown("audit/page.html", "Audit", "audit", view, json="/audit"))
