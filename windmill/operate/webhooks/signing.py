"""Signatures of Standard Webhooks. Pure but for the dice of a new secret."""

import base64
import hashlib
import hmac
import secrets
import uuid
from collections.abc import Sequence

SECRET_BYTES = 32
PREFIX = "whsec_"


def new_secret() -> bytes:
    return secrets.token_bytes(SECRET_BYTES)


def secret_text(secret: bytes) -> str:
    """As receivers are given it."""
    return PREFIX + base64.b64encode(secret).decode()


def message_id(delivery_id: uuid.UUID) -> str:
    """The same for every try, so that a receiver knows what it has had before."""
    return f"msg_{delivery_id.hex}"


def signed_headers(keys: Sequence[bytes], message: str, timestamp: int, body: str) -> dict[str, str]:
    """With one signature for each secret that is good now."""
    content = f"{message}.{timestamp}.{body}".encode()
    signatures = [base64.b64encode(hmac.digest(key, content, hashlib.sha256)).decode() for key in keys]
    return {
        "webhook-id": message,
        "webhook-timestamp": str(timestamp),
        "webhook-signature": " ".join(f"v1,{one}" for one in signatures),
    }
