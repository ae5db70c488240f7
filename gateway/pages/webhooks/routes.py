"""Webhooks: who is told of what, what was sent, and sending it again."""

import uuid
from typing import Annotated

from fastapi import Form, Query, Request, Response

from gateway.caller import Caller
from gateway.context import Context, Gateway, Who
from gateway.guard import Operator
from gateway.pages.flash import go_on
from gateway.pages.forms import PageForm
from gateway.pages.page_route import page_router
from gateway.pages.paging import Cursor, older_than
from gateway.pages.rendering import Shown, changes, page
from gateway.pages.webhooks.forms import ReplayForm, RotateForm, SwitchForm, WebhookForm
from gateway.pages.webhooks.views import DeliveriesView, WebhooksView, delivery_line, webhook_line
from gateway.webhooks.shapes import DeliveryQuery
from windmill.operate.webhooks.deliveries import Replay, page_of_deliveries, replay, send_test
from windmill.operate.webhooks.endpoints import (
    ENDS,
    MadeWebhook,
    WebhookAccess,
    WebhookChange,
    change_webhook,
    create_webhook,
    delete_webhook,
    list_webhooks,
    rotate_secret,
    show_webhook,
)

router = page_router()
ROWS = 50
Status = Annotated[str, Query(pattern="^(pending|delivered|failed)?$")]


def _access(gateway: Gateway) -> WebhookAccess:
    return WebhookAccess(gateway.access.pool, gateway.settings)


async def _list_page(request: Request, gateway: Gateway, caller: Caller, made: MadeWebhook | None = None) -> Response:
    found = await list_webhooks(_access(gateway), caller.sees)
    view = WebhooksView([webhook_line(one) for one in found], made)
    return page(request, Shown("webhooks/list.html", "Webhooks", "webhooks", view, json="/webhooks"))


async def _shown(
    gateway: Gateway, caller: Caller, webhook_id: uuid.UUID, status: str = "", cursor: str | None = None,
    made: MadeWebhook | None = None,
) -> Shown:  # fmt: skip
    access, path = _access(gateway), f"/ui/webhooks/{webhook_id}"
    webhook = await show_webhook(access, webhook_id, caller.sees)
    chosen = DeliveryQuery.model_validate({"status": status or None, "limit": ROWS})
    wanted = {"list": "deliveries", "webhook": webhook_id, "status": chosen.status}
    before = gateway.cursors.open(wanted, cursor)
    found = await page_of_deliveries(access, webhook_id, caller.sees, chosen.status, before, ROWS)
    last = found[-1].number if len(found) == ROWS else None
    older = older_than(path, gateway.cursors.seal_next(wanted, last), {"status": status})
    lines = [delivery_line(one) for one in found]
    view = DeliveriesView(webhook_line(webhook), lines, status, older, path if cursor else "", made)
    live = "" if cursor else f"/ui/live/webhooks/{webhook_id}" + (f"?status={status}" if status else "")
    json = f"/webhooks/{webhook_id}/deliveries"
    return Shown("webhooks/page.html", "Webhook", "webhooks", view, live=live, json=json)


@router.get("/ui/webhooks")
async def webhooks(request: Request, gateway: Context, caller: Operator) -> Response:
    """Yours."""
    return await _list_page(request, gateway, caller)


@router.post("/ui/webhooks")
async def make(
    request: Request, gateway: Context, caller: Operator, who: Who, form: Annotated[WebhookForm, Form()]
) -> Response:
    """Make one, and show its secret this once."""
    if form.all_principals:
        caller.must_be("admin")
    made = await create_webhook(
        _access(gateway), who, form.url, form.events or ENDS, form.description, all_principals=form.all_principals
    )
    return await _list_page(request, gateway, caller, made)


@router.get("/ui/webhooks/{webhook_id}")
async def show(
    request: Request, gateway: Context, caller: Operator, webhook_id: uuid.UUID, status: Status = "",
    cursor: Cursor = None,
) -> Response:  # fmt: skip
    """How it fares, and what was sent."""
    return page(request, await _shown(gateway, caller, webhook_id, status, cursor))


@router.get("/ui/live/webhooks/{webhook_id}")
async def delivery_changes(
    request: Request, gateway: Context, caller: Operator, webhook_id: uuid.UUID, status: Status = ""
) -> Response:
    """What has changed of it."""
    return changes(request, await _shown(gateway, caller, webhook_id, status))


@router.post("/ui/webhooks/{webhook_id}/test")
async def try_out(
    request: Request, gateway: Context, caller: Operator, who: Who, webhook_id: uuid.UUID,
    _: Annotated[PageForm, Form()],
) -> Response:  # fmt: skip
    """Send a message that says nothing, by the way of all others."""
    await send_test(_access(gateway), who, webhook_id, caller.sees)
    gateway.work.sender.hurry()
    return go_on(request, f"/ui/webhooks/{webhook_id}", "A test message is on its way.")


@router.post("/ui/webhooks/{webhook_id}/switch")
async def switch(
    request: Request, gateway: Context, caller: Operator, who: Who, webhook_id: uuid.UUID,
    form: Annotated[SwitchForm, Form()],
) -> Response:  # fmt: skip
    """Stop it, or let it go on."""
    await change_webhook(_access(gateway), who, webhook_id, caller.sees, WebhookChange(enabled=form.enabled))
    gateway.work.sender.hurry()
    said = "It goes on with what waits." if form.enabled else "Nothing is sent to it until it goes on."
    return go_on(request, f"/ui/webhooks/{webhook_id}", said)


@router.post("/ui/webhooks/{webhook_id}/rotate")
async def rotate(
    request: Request, gateway: Context, caller: Operator, who: Who, webhook_id: uuid.UUID,
    form: Annotated[RotateForm, Form()],
) -> Response:  # fmt: skip
    """Sign with a new secret, which is shown this once."""
    made = await rotate_secret(_access(gateway), who, webhook_id, caller.sees, form.hours * 3_600)
    return page(request, await _shown(gateway, caller, webhook_id, made=made))


@router.post("/ui/webhooks/{webhook_id}/replay")
async def send_again(
    request: Request, gateway: Context, caller: Operator, who: Who, webhook_id: uuid.UUID,
    form: Annotated[ReplayForm, Form()],
) -> Response:  # fmt: skip
    """Send a message again, or all that were given up."""
    wanted = Replay([form.delivery]) if form.delivery else Replay(status="failed")
    number = await replay(_access(gateway), who, webhook_id, caller.sees, wanted)
    gateway.work.sender.hurry()
    said = f"{number:,} {'message is' if number == 1 else 'messages are'} sent again, under the same ids."
    return go_on(request, f"/ui/webhooks/{webhook_id}", said)


@router.post("/ui/webhooks/{webhook_id}/delete")
async def delete(
    request: Request, gateway: Context, caller: Operator, who: Who, webhook_id: uuid.UUID,
    _: Annotated[PageForm, Form()],
) -> Response:  # fmt: skip
    """Send nothing more, also not what waits."""
    await delete_webhook(_access(gateway), who, webhook_id, caller.sees)
    return go_on(request, "/ui/webhooks", "The webhook is gone, with what waited for it.")
