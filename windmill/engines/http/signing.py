"""Signs the requests of an engine whose entry asks for it."""

import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from yarl import URL

from windmill.core.errors import ConfigInvalid, Problem
from windmill.core.service_urls import ServiceUrl
from windmill.engines.entries import HttpEntry
from windmill.engines.http.aws_signature import (
    AwsCredentials,
    AwsScope,
    SignedRequest,
    render_query,
    signature_headers,
)

DEFAULT_REGION = "us-east-1"
_PIECE = 1024 * 1024
SignRequest = Callable[[ServiceUrl, str, dict[str, Any]], tuple[URL, dict[str, Any]]]
"""Takes the address, the path and the options of a POST, and gives the URL and the options with which it is sent."""


def request_signer(name: str, entry: HttpEntry, environ: Mapping[str, str]) -> SignRequest | None:
    """What signs the requests of the entry; None if nothing does. Raises ConfigInvalid if the account is not set."""
    if not entry.sign:
        return None
    needed = ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY")
    said = f"is not set, but the engine {name} signs its requests with it"
    if missing := [Problem(one, "", said) for one in needed if not environ.get(one)]:
        raise ConfigInvalid(missing)
    key_id, secret = (environ[one] for one in needed)
    credentials = AwsCredentials(key_id, secret, environ.get("AWS_SESSION_TOKEN", ""))
    region = entry.aws_region or environ.get("AWS_REGION") or DEFAULT_REGION
    return AwsSigner(credentials, AwsScope(region, entry.aws_service))


@dataclass(frozen=True)
class AwsSigner:
    """Signs by the account and for the service of one engine."""

    credentials: AwsCredentials
    scope: AwsScope
    now: Callable[[], datetime] = lambda: datetime.now(UTC)

    def __call__(self, address: ServiceUrl, path: str, options: dict[str, Any]) -> tuple[URL, dict[str, Any]]:
        query = list(options.pop("params", {}).items())
        url = URL(f"{address.origin}{address.prefix}{path}").with_query(None)
        headers = {"Host": address.authority, **options.pop("headers", {})}
        asked = SignedRequest("POST", url.raw_path, headers, _digest_of(options.get("data", b"")), query)
        added = signature_headers(asked, self.credentials, self.scope, self.now())
        sent = URL(f"{url}?{render_query(query)}", encoded=True) if query else url
        return sent, {**options, "headers": {**headers, **added}}


def _digest_of(data: Any) -> str:  # noqa: ANN401 - bytes, or a file that is read from its start
    if isinstance(data, bytes):
        return hashlib.sha256(data).hexdigest()
    found = hashlib.sha256()
    while piece := data.read(_PIECE):
        found.update(piece)
    data.seek(0)
    return found.hexdigest()
