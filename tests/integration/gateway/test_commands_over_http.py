"""Commands on a machine that is not of the fleet print what they print on one that is, and end with the same code."""

import re

import pytest

from tests.integration.gateway.step_hand import picture, work_off
from tests.integration.gateway_scene import GatewayScene

pytestmark = pytest.mark.database

NOWHERE = {"DB_PORT": "1", "QUEUE_PORT": "1"}
COMMANDS = (
    "jobs list",
    "jobs list --json --limit 1",
    "jobs list --status failed",
    "jobs list --preset upscale_denoise_image_v1 --error-code USAGE",
    "jobs show JOB",
    "jobs show JOB --json",
    "jobs compare JOB JOB",
    "jobs logs JOB --json --after 1",
    "jobs show 00000000-0000-0000-0000-000000000001",
    "jobs priority JOB 3",
    "jobs pause --all --preset upscale_denoise_image_v1 --expect 1",
    "jobs resume JOB 00000000-0000-0000-0000-000000000001",
    "jobs cancel JOB",
    "jobs watch JOB",
    "artifacts list JOB",
    "artifacts list JOB --json",
    "artifacts fetch JOB --to FOLDER --step nothing",
    "presets list --all",
    "presets show cinematic_portrait_v1",
    "presets show cinematic_portrait_v1 --schema",
    "presets show nothing",
    "show 1",
)


def without_version(text: str) -> str:
    """What is asked of a job twice leaves two events."""
    return re.sub(r"last_event: \d+", "", text)


async def test_commands_print_the_same_over_http(scene: GatewayScene) -> None:
    await scene.start()
    here = {"ARTIFACTS_URL": str(scene.store)}
    there = {**NOWHERE, "WINDMILL_URL": scene.url, "WINDMILL_KEY": await scene.key("admin")}
    file = scene.fleet.folder / "a.png"
    file.write_bytes(picture())
    order = ("jobs", "submit", "--preset", "upscale_denoise_image_v1", "--file", f"image={file}", "--json")
    submitted = await scene.fleet.run("windmill", *order, **there)
    assert submitted.code == 0, submitted.err
    await work_off(scene, "denoise")
    job = submitted.json()["public_id"]
    for text in COMMANDS:
        words = text.replace("JOB", job).replace("FOLDER", str(scene.fleet.folder / "fetched")).split()
        remote = await scene.fleet.run("windmill", *words, **there)
        local = await scene.fleet.run("windmill", *words, **here)
        assert (remote.code, without_version(remote.out)) == (local.code, without_version(local.out)), text
    target = scene.fleet.folder / "fetched"
    fetched = await scene.fleet.run("windmill", "artifacts", "fetch", job, "--to", str(target), **there)
    assert (fetched.code, (target / "picture.png").read_bytes()[:4]) == (0, b"\x89PNG")
    forked = await scene.fleet.run("windmill", "jobs", "fork", job, "--from-step", "upscale", "--json", **there)
    assert (forked.code, forked.json()["forked_from"]) == (0, job), forked.err
    fork = ("jobs", "fork", job, "--quality", "low", "--json", "--from-step")
    other = await scene.fleet.run("windmill", *fork, "denoise", "--file", f"image={file}", **there)
    assert (other.code, other.json()["forked_from"]) == (0, job), other.err
    remote, local = [await scene.fleet.run("windmill", *fork, "upscale", **where) for where in (there, here)]
    assert (remote.code, "denoise before upscale would change" in remote.err) == (2, True), remote.err
    assert local.code == remote.code
    cancelled = await scene.fleet.run("windmill", "jobs", "cancel", "--all", "--yes", "--json", **there)
    assert (cancelled.code, cancelled.json()["done"]) == (0, 2), cancelled.err
    removed = await scene.fleet.run("windmill", "jobs", "rm", job, forked.json()["public_id"], "--json", **there)
    assert (removed.code, removed.json()["done"]) == (0, 2), removed.err


async def test_a_command_that_needs_the_machine_says_so(scene: GatewayScene) -> None:
    for words in (("--url", "http://127.0.0.1:1", "migrate"), ("--url", "http://127.0.0.1:1", "artifacts", "verify")):
        refused = await scene.fleet.run("windmill", *words)
        assert refused.code == 2
        assert "works on a machine of the fleet alone. Remedy: run it there" in refused.err
    away = await scene.fleet.run("windmill", "--url", "http://127.0.0.1:1", "jobs", "list")
    assert (away.code, "cannot be reached" in away.err) == (1, True)
