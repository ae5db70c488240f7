"""Keys: made, rotated and revoked by administrators. The key itself is shown once, on the page that answers."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Annotated

from fastapi import Form, Request, Response
from pydantic import Field

from gateway.context import Context, Gateway, Who
from gateway.guard import Admin
from gateway.keys.shapes import KeyPrefix, Name
from gateway.pages.badges import Badge, badge
from gateway.pages.flash import go_on
from gateway.pages.forms import PageForm
from gateway.pages.page_route import page_router
from gateway.pages.rendering import Shown, page
from windmill.operate.keys.keys import MadeKey, NewKey, all_keys, create_key, revoke_key, rotate_key
from windmill.storage.api_keys import ApiKey, KeyScope

router = page_router()
Priority = Annotated[int, Field(ge=0, le=9)]


class KeyForm(PageForm):
    """Empty fields are no limit."""

    name: Name
    principal: Name
    scope: KeyScope
    default_priority: Priority = 0
    highest_priority: Priority = 9
    quota_jobs: Annotated[int, Field(ge=0, le=2**53)] | None = None
    quota_seconds: Annotated[float, Field(ge=0, le=2**53)] | None = None
    requests_per_minute: Annotated[int, Field(ge=1, le=10_000_000)] | None = None
    days: Annotated[int, Field(ge=1, le=36_500)] | None = None

    def wanted(self) -> NewKey:
        given = self.model_dump(exclude={"token", "back", "days"})
        return NewKey(**given, expires_at=datetime.now(UTC) + timedelta(days=self.days) if self.days else None)


class RotateForm(PageForm):
    hours: Annotated[float, Field(ge=0, le=720)] = 24


@dataclass(frozen=True)
class KeyLine:
    key: ApiKey
    state: Badge


@dataclass(frozen=True)
class KeysView:
    keys: list[KeyLine]
    made: MadeKey | None


def key_badge(key: ApiKey) -> Badge:
    return badge("revoked" if key.revoked else "expired" if key.expired else "active")


async def _page(request: Request, gateway: Gateway, made: MadeKey | None = None) -> Response:
    found = await all_keys(gateway.access.pool, gateway.settings)
    view = KeysView([KeyLine(one, key_badge(one)) for one in reversed(found)], made)
    return page(request, Shown("keys/page.html", "Keys", "keys", view, json="/keys"))


@router.get("/ui/keys")
async def keys(request: Request, gateway: Context, _: Admin) -> Response:
    """All that were ever made, the newest first."""
    return await _page(request, gateway)


@router.post("/ui/keys")
async def make_key(
    request: Request, gateway: Context, _: Admin, who: Who, form: Annotated[KeyForm, Form()]
) -> Response:
    """Make a key, and show it this once."""
    made = await create_key(gateway.access.pool, gateway.settings, who, form.wanted(), keep_admin=True)
    gateway.keys.forget()
    return await _page(request, gateway, made)


@router.post("/ui/keys/{prefix}/rotate")
async def rotate(
    request: Request, gateway: Context, _: Admin, who: Who, prefix: KeyPrefix, form: Annotated[RotateForm, Form()]
) -> Response:
    """Give a key a new secret; the one before stays good for a while."""
    made = await rotate_key(gateway.access.pool, gateway.settings, who, prefix, form.hours * 3_600)
    gateway.keys.forget()
    return await _page(request, gateway, made)


@router.post("/ui/keys/{prefix}/revoke")
async def revoke(
    request: Request, gateway: Context, _: Admin, who: Who, prefix: KeyPrefix, __: Annotated[PageForm, Form()]
) -> Response:
    """Refuse a key from now on."""
    key = await revoke_key(gateway.access.pool, gateway.settings, who, prefix, keep_admin=True)
    gateway.keys.forget()
    return go_on(request, "/ui/keys", f"The key {key.name} ({prefix}) is refused from now on.")
