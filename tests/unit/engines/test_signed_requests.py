"""Requests to an engine that are signed."""

from pathlib import Path

import pytest

from tests.conformance.engines.rigs import request_in
from tests.unit.engines.http_engine_scene import SignatureCheck, server
from windmill.core.errors import ConfigInvalid
from windmill.core.service_urls import service_url
from windmill.engines.entries import HttpEntry
from windmill.engines.http.signing import request_signer


@pytest.mark.parametrize("body", ["raw", "json", "base64"])
async def test_a_signed_request_is_signed_as_it_arrives(body: str, tmp_path: Path) -> None:
    check = SignatureCheck()
    async with server(check) as it:
        request = request_in(tmp_path, prompt="a mill & more/+")
        await it.run(request, body=body, sign="aws", path="/endpoints/my%20model/invocations")
        assert "/eu-central-1/sagemaker/aws4_request" in it.asked[0].headers["Authorization"]
        assert len(check.bodies) == 1


async def test_a_request_that_is_signed_with_another_secret_is_refused_and_costs_no_try(tmp_path: Path) -> None:
    async with server(SignatureCheck("another")) as it:
        error = await it.failure(request_in(tmp_path), body="json", sign="aws")
        assert (error.code, error.retry) == ("SERVICE_REJECTED", "pause")


def test_signing_needs_an_account() -> None:
    entry = HttpEntry(url=service_url("http://h", "url"), body="json", sign="aws")
    with pytest.raises(ConfigInvalid, match="AWS_SECRET_ACCESS_KEY"):
        request_signer("it", entry, {"AWS_ACCESS_KEY_ID": "id"})
    assert request_signer("it", HttpEntry(url=service_url("http://h", "url")), {}) is None
