"""Whatever the description of the gateway allows, and much that it forbids, is sent to one that runs: no answer is a
fault, has a status that is not described, or departs from its shape."""

import asyncio
import os
import re
import shutil
import sys
from pathlib import Path

import pytest

from tests.integration.fleet import Finished, unavailable
from tests.integration.gateway_scene import GatewayScene

pytestmark = [pytest.mark.database, pytest.mark.broker]

CHECKS = (
    "not_a_server_error",
    "status_code_conformance",
    "content_type_conformance",
    "response_headers_conformance",
    "response_schema_conformance",
    "ignored_auth",
    "unsupported_method",
)
UNWRITABLE = ("/batches:lines", "/uploads/{upload_id}")
"""They take kinds of bodies that the fuzzer cannot write."""
SHORT = "/health|/presets|/errors/|/audit|/api/pipeline/presets"


def schemathesis() -> str:
    own = Path(sys.executable).with_name("schemathesis")
    found = str(own) if own.is_file() else shutil.which("schemathesis")
    if found is None:
        unavailable("schemathesis is not installed here; make setup installs it")
    return str(found)


async def fuzz(scene: GatewayScene, examples: int, *more: str) -> Finished:
    """Run it with the key of an administrator; its own folder keeps it from what earlier runs have found."""
    folder = scene.fleet.folder / "fuzz"
    folder.mkdir()
    arguments = [f"{scene.url}/openapi.json", "-H", f"Authorization: Bearer {await scene.key('admin')}"]
    arguments += [
        "--checks",
        ",".join(CHECKS),
        "--max-examples",
        str(examples),
        "--phases",
        "examples,coverage,fuzzing",
    ]
    arguments += ["--seed", "1", "--continue-on-failure", "--suppress-health-check", "all", "--no-color", *more]
    process = await asyncio.create_subprocess_exec(
        schemathesis(), "run", *arguments, cwd=folder, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT,
        env={**os.environ, "PYTHONIOENCODING": "utf-8", "COLUMNS": "160"},
    )  # fmt: skip
    said, _ = await process.communicate()
    return Finished(process.returncode or 0, said.decode(), "")


def cases(found: Finished) -> int:
    """How many requests it counts."""
    counted = re.search(r"([\d,]+) generated", found.out)
    return int(counted[1].replace(",", "")) if counted else 0


async def test_a_part_of_the_description_holds(scene: GatewayScene) -> None:
    await scene.start(GATEWAY_REQUESTS_PER_MINUTE="10000000")
    found = await fuzz(scene, 3, "--include-path-regex", f"^({SHORT})")
    assert found.code == 0, found.out
    assert cases(found) > 50, found.out


@pytest.mark.slow(reason="about two minutes: thousands of requests, which cannot be made fewer")
@pytest.mark.timeout(900)
async def test_the_whole_description_holds(scene: GatewayScene) -> None:
    await scene.start(GATEWAY_REQUESTS_PER_MINUTE="10000000")
    without = [word for path in UNWRITABLE for word in ("--exclude-path", path)]
    found = await fuzz(scene, int(os.environ.get("FUZZ_EXAMPLES", "25")), *without)
    sys.stdout.write(found.out)
    assert found.code == 0, found.out
    assert cases(found) > 1_000, found.out
