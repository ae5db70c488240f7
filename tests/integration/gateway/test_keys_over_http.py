"""Keys: made, used, limited, rotated and revoked."""

import asyncio

import pytest

from tests.integration.gateway_scene import PRESET, GatewayScene, problem
from tests.waiting import until

pytestmark = pytest.mark.database


async def test_a_key_is_made_used_rotated_and_revoked(scene: GatewayScene) -> None:
    await scene.start()
    admin = await scene.user("admin", "root")
    made = (await admin.post("/keys", json={"name": "robot", "principal": "bob", "scope": "operator"})).json()
    prefix, bob = made["key"]["prefix"], await scene.client(made["secret"])
    assert (await bob.get("/jobs")).status_code == 200
    listed = {key["prefix"]: key for key in (await admin.get("/keys")).json()["keys"]}
    assert listed[prefix]["last_used_at"] is not None
    assert made["secret"] not in str(listed)
    again = (await admin.post(f"/keys/{prefix}/rotate", json={"grace_seconds": 3_600})).json()
    newer = await scene.client(again["secret"])
    assert [(await client.get("/jobs")).status_code for client in (bob, newer)] == [200, 200]
    await admin.post(f"/keys/{prefix}/rotate", json={"grace_seconds": 0})
    problem(await bob.get("/jobs"), 401, "AUTH_INVALID")
    assert (await admin.delete(f"/keys/{prefix}")).json()["key"]["revoked"] is True
    problem(await newer.get("/jobs"), 401, "AUTH_INVALID")
    problem(await admin.post(f"/keys/{prefix}/rotate"), 409, "CONFLICT")
    entries = (await admin.get(f"/audit?subject={prefix}")).json()["entries"]
    assert [one["action"] for one in entries] == ["keys.revoke", "keys.rotate", "keys.rotate", "keys.create"]
    assert made["secret"] not in str(entries)


async def test_a_key_has_a_rate_a_quota_and_a_highest_priority(scene: GatewayScene) -> None:
    await scene.start()
    slow = await scene.user("operator", requests_per_minute=2)
    first = await slow.get("/jobs")
    assert first.headers["ratelimit"].startswith('"requests";r=1;')
    assert first.headers["ratelimit-policy"] == '"requests";q=2;w=60'
    await slow.get("/jobs")
    refused = await slow.get("/jobs")
    assert problem(refused, 429, "RATE_LIMIT_EXCEEDED")["retryable"] is True
    assert 0 < int(refused.headers["retry-after"]) <= 30
    poor = await scene.user("operator", "bob", quota_jobs=2, default_priority=-2, highest_priority=1)
    problem(await poor.post("/jobs", json={**PRESET, "priority": 2}), 403, "PERMISSION_DENIED")
    made = await poor.post("/jobs", json=PRESET)
    assert (made.status_code, made.json()["job"]["priority"]) == (201, -2)
    told = [made, await poor.get("/jobs"), await poor.post("/jobs", json=PRESET), await poor.post("/jobs", json=PRESET)]
    assert [one.headers["ratelimit"].rpartition(", ")[2] for one in told] == [
        f'"jobs";r={left}' for left in (1, 1, 0, 0)
    ]
    assert made.headers["ratelimit-policy"].endswith(', "jobs";q=2')
    problem(told[-1], 402, "INSUFFICIENT_FUNDS")
    assert await scene.fleet.rows.fetchval("SELECT count(*) FROM jobs WHERE principal = 'bob'") == 2


async def test_jobs_are_counted_also_for_a_key_without_a_quota(scene: GatewayScene) -> None:
    await scene.start()
    ann, admin = await scene.user("operator"), await scene.user("admin", "root")
    made = await asyncio.gather(*(ann.post("/jobs", json=PRESET) for _ in range(5)))
    assert {(one.status_code, "jobs" in one.headers["ratelimit"]) for one in made} == {(201, False)}
    counted = {one["principal"]: one["jobs_made"] for one in (await admin.get("/keys")).json()["keys"]}
    assert counted == {"ann": 5, "root": 0}


async def test_over_http_a_good_key_of_an_administrator_always_remains(scene: GatewayScene) -> None:
    await scene.start()
    anybody = await scene.client()
    body = {"name": "first", "principal": "ann", "scope": "admin"}
    for wrong in ({"scope": "viewer"}, {"scope": "operator"}, {"expires_at": "2020-01-01T00:00:00Z"}):
        refused = problem(await anybody.post("/keys", json={**body, **wrong}), 409, "CONFLICT")
        assert "python -m windmill keys create NAME --scope admin" in refused["remediation"][0]
    assert (await anybody.get("/keys")).json() == {"keys": [], "count": 0}
    made = (await anybody.post("/keys", json=body)).json()
    nobody = problem(await anybody.get("/keys"), 401, "AUTH_MISSING")
    assert nobody["remediation"] == ["send a key: Authorization: Bearer KEY"]
    first, path = await scene.client(made["secret"]), f"/keys/{made['key']['prefix']}"
    last = problem(await first.delete(path), 409, "CONFLICT")
    assert f"python -m windmill keys revoke {path[6:]}" in last["remediation"][0]
    other = (await first.post("/keys", json={**body, "name": "second"})).json()
    second = await scene.client(other["secret"])
    ends = await asyncio.gather(second.delete(path), first.delete(f"/keys/{other['key']['prefix']}"))
    assert sorted(one.status_code for one in ends)[0] == 200
    assert sorted(one.status_code for one in ends)[1] in (401, 409)
    assert (await (second if ends[0].status_code == 200 else first).get("/keys")).status_code == 200


async def test_seconds_of_jobs_that_are_gone_stay_spent(scene: GatewayScene) -> None:
    await scene.start()
    ann = await scene.user("operator", quota_seconds=5.0)
    path = (await ann.post("/jobs", json=PRESET)).headers["location"]
    await ann.post(f"{path}/cancel")
    await scene.fleet.rows.execute("UPDATE steps SET ran = 6 WHERE position = 0")
    problem(await ann.post("/jobs", json=PRESET), 402, "INSUFFICIENT_FUNDS")
    assert (await ann.delete(path)).status_code == 204
    problem(await ann.post("/jobs", json=PRESET), 402, "INSUFFICIENT_FUNDS")


async def test_keys_of_the_command_line_open_the_gateway(scene: GatewayScene) -> None:
    await scene.start()
    made = await scene.fleet.run("windmill", "keys", "create", "laptop", "--scope", "viewer")
    client = await scene.client(made.out.strip())
    assert (await client.get("/jobs")).status_code == 200
    prefix = made.out[:11]
    assert prefix in (await scene.fleet.run("windmill", "keys", "list")).out
    assert (await scene.fleet.run("windmill", "keys", "revoke", prefix)).code == 0

    async def refused() -> bool:
        return (await client.get("/jobs")).status_code == 401

    await until(refused, 10)
