"""Every role at every endpoint: the table is made from the routes that there are, so a new one is in it."""

import uuid

import httpx
import pytest
from fastapi.routing import APIRoute

from gateway.app import ROUTERS
from gateway.caller import RANKS, RouteScope
from gateway.guard import scope_of
from tests.integration.gateway_scene import GatewayScene
from tests.waiting import until
from windmill.storage.api_keys import KeyScope

pytestmark = pytest.mark.database

SAMPLES = {
    "{job_id}": str(uuid.UUID(int=1)),
    "{code}": "NOT_FOUND",
    "{preset_id}": "cinematic_portrait_v1",
    "{artifact_id}": "a" * 64,
    "{asset_id}": "a" * 64,
    "{upload_id}": "a" * 32,
    "{prefix}": "wm_aaaaaaaa",
    "{image_id}": "1",
    "{run_id}": "1",
    "{name}": "nothing",
    "{webhook_id}": str(uuid.UUID(int=2)),
    "{bulk_id}": str(uuid.UUID(int=3)),
    "{batch_id}": str(uuid.UUID(int=4)),
    "{session_id}": str(uuid.UUID(int=5)),
    "{speaker_id}": str(uuid.UUID(int=6)),
    "{group_id}": str(uuid.UUID(int=7)),
    "{search_id}": str(uuid.UUID(int=8)),
    "{person}": "nobody",
    "{number}": "1",
}
"""What stands for each part of a path; none of it is there, so nobody changes anything."""
ENDPOINTS = sorted(
    (route.path_format, method, scope_of(route))
    for router in ROUTERS
    for route in router.routes
    if isinstance(route, APIRoute)
    for method in route.methods or ()
)
ROLES: tuple[KeyScope, ...] = ("viewer", "operator", "admin")


def sample(path: str) -> str:
    for name, value in SAMPLES.items():
        path = path.replace(name, value)
    assert "{" not in path, f"SAMPLES needs a value for {path}"
    return path


def test_everything_but_what_tells_of_the_gateway_itself_needs_a_key() -> None:
    public = {path for path, _, scope in ENDPOINTS if scope == "public"}
    assert public == {"/health", "/errors/{code}", "/openapi.json"}
    assert len(ENDPOINTS) > 20


async def is_refused(client: httpx.AsyncClient) -> bool:
    return (await client.get("/jobs")).status_code == 401


async def test_each_role_may_do_what_the_routes_say_and_nothing_else(scene: GatewayScene) -> None:
    await scene.start()
    clients: dict[RouteScope, httpx.AsyncClient] = {role: await scene.user(role) for role in ROLES}
    nobody, stranger = await scene.client(), await scene.client("wm_aaaaaaaa_" + "a" * 43)
    await until(lambda: is_refused(nobody), 5, "the gateway knows that there are keys")
    for path, method, needed in ENDPOINTS:
        for client, code in ((nobody, "AUTH_MISSING"), (stranger, "AUTH_INVALID")):
            refused = await client.request(method, sample(path), content=b"not JSON", headers=JSON)
            if needed == "public":
                assert refused.status_code == 200, path
            else:
                told = refused.json()["error_code"] if method != "HEAD" else code
                assert (refused.status_code, told) == (401, code), path
        for role, client in clients.items():
            answered = await client.request(method, sample(path), json={} if method != "GET" else None)
            where = f"{role} {method} {path}: {answered.text}"
            assert (answered.status_code == 403) == (RANKS[role] < RANKS[needed]), where
            assert answered.status_code not in (401, 500), where


JSON = {"Content-Type": "application/json"}
