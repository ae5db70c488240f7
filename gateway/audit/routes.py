"""The audit log, for administrators."""

from typing import Annotated

from fastapi import Query

from gateway.audit.shapes import AuditEntry, AuditList, AuditQuery
from gateway.context import Context
from gateway.guard import Admin, noun_router
from windmill.operate.audit import AuditFilter, page_of_audit

router = noun_router("audit")


@router.get("/audit")
async def list_audit(gateway: Context, _: Admin, query: Annotated[AuditQuery, Query()]) -> AuditList:
    """Who changed what, the newest first."""
    chosen = AuditFilter(query.principal, query.subject, query.action)
    wanted = {"list": "audit", "principal": query.principal, "subject": query.subject, "action": query.action}
    before = gateway.cursors.open(wanted, query.cursor)
    rows = await page_of_audit(gateway.access.pool, gateway.settings, chosen, before, query.limit)
    entries = [AuditEntry.model_validate(row) for row in rows]
    last = entries[-1].audit_id if len(entries) == query.limit else None
    return AuditList(entries=entries, count=len(entries), next_cursor=gateway.cursors.seal_next(wanted, last))
