"""Pages where there are no keys, and what every page is sent with."""

import re

import pytest

from tests.integration.gateway_scene import GatewayScene

pytestmark = [pytest.mark.database, pytest.mark.broker]


async def test_on_this_machine_pages_need_no_key_and_forms_still_a_token(scene: GatewayScene) -> None:
    await scene.start()
    client = await scene.client()
    root = await client.get("/")
    assert (root.status_code, root.headers["location"]) == (307, "/ui/")
    first = await client.get("/ui/")
    assert first.status_code == 200
    assert "Log out" not in first.text
    policy = first.headers["content-security-policy"]
    assert policy.startswith("default-src 'none'; style-src 'self'; script-src 'self'")
    assert ("unsafe" in policy, "frame-ancestors 'none'" in policy) == (False, True)
    assert (first.headers["x-content-type-options"], first.headers["cache-control"]) == ("nosniff", "no-store")
    assert not re.search(r"<[^>]+ (style|on\w+)=", first.text)
    for url in re.findall(r'(?:href|src)="(/ui/static/[^"]+)"', first.text):
        file = await client.get(url)
        assert (file.status_code, "immutable" in file.headers["cache-control"]) == (200, True), url
    assert (await client.get("/ui/static/windmill.000000000000.css")).status_code == 404
    page = (await client.get("/ui/work/pause?name=*")).text
    token = re.search(r'name="token" value="(\w+)"', page)
    assert token
    sent = {"name": "clip", "reason": "here"}
    assert (await client.post("/ui/work/pause", data=sent)).status_code == 403
    foreign = {"Origin": "https://evil.example"}
    assert (await client.post("/ui/work/pause", data={**sent, "token": token[1]}, headers=foreign)).status_code == 403
    assert not await scene.fleet.rows.fetchval("SELECT count(*) FROM wanted_states WHERE paused")
    done = await client.post("/ui/work/pause", data={**sent, "token": token[1]})
    assert done.status_code == 303
    assert await scene.fleet.rows.fetchval("SELECT reason FROM wanted_states WHERE name = 'clip'") == "here"
    assert (await client.post("/services", data=sent)).status_code == 415, "only pages take plain forms"
    missing = await client.get("/ui/services/nothing")
    assert (missing.status_code, "NOT_FOUND" in missing.text) == (404, True)
    assert "text/html" in missing.headers["content-type"]
