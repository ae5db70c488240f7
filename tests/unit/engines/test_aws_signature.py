"""Signature Version 4 against the vectors that AWS has published with it."""

import hashlib
from datetime import UTC, datetime

import pytest

from windmill.engines.http.aws_signature import (
    AwsCredentials,
    AwsScope,
    SignedRequest,
    render_query,
    signature_headers,
)

CREDENTIALS = AwsCredentials("AKIDEXAMPLE", "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY")
SCOPE = AwsScope("us-east-1", "service")
AT = datetime(2015, 8, 30, 12, 36, tzinfo=UTC)
HOST = {"Host": "example.amazonaws.com"}
FORM = "application/x-www-form-urlencoded"
VECTORS = {
    "get-vanilla": ("GET", {}, b"", (), "5fa00fa31553b73ebf1942676e86291e8372ff2a2260956d9b8aae1d763fbf31"),
    "post-vanilla": ("POST", {}, b"", (), "5da7c1a2acd57cee7505fc6676e4e544621c30862966e37dddb68e92efbe5d6b"),
    "get-vanilla-query-order-key-case": (
        "GET", {}, b"", (("Param2", "value2"), ("Param1", "value1")),
        "b97d918cfa904a5beff61c982a1b6f458b799221646efd99d3219ec94cdf2500",
    ),
    "post-vanilla-query": (
        "POST", {}, b"", (("Param1", "value1"),), "28038455d6de14eafc1f9222cf5aa6f1a96197d7deb8263271d420d138af7f11",
    ),
    "post-header-value-case": (
        "POST", {"My-Header1": "VALUE1"}, b"", (), "cdbc9802e29d2942e5e10b5bccfdd67c5f22c7c4e8ae67b53629efa58b974b7d",
    ),
    "post-x-www-form-urlencoded": (
        "POST", {"Content-Type": FORM}, b"Param1=value1", (),
        "ff11897932ad3f4e8b18135d722051e5ac45fc38421b1da7b9d196a0fe09473a",
    ),
    "post-x-www-form-urlencoded-parameters": (
        "POST", {"Content-Type": f"{FORM}; charset=utf8"}, b"Param1=value1", (),
        "1a72ec8f64bd914b0e42e42607c7fbce7fb2c7465f63e3092b3b0d39fa77a6fe",
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", VECTORS)
def test_it_signs_as_aws_has_published(name: str) -> None:
    method, headers, body, query, signature = VECTORS[name]
    request = SignedRequest(method, "/", {**HOST, **headers}, hashlib.sha256(body).hexdigest(), query)
    names = ";".join(sorted([*(one.lower() for one in headers), "host", "x-amz-date"]))
    assert signature_headers(request, CREDENTIALS, SCOPE, AT) == {
        "X-Amz-Date": "20150830T123600Z",
        "Authorization": "AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20150830/us-east-1/service/aws4_request, "
        f"SignedHeaders={names}, Signature={signature}",
    }


def test_a_lent_account_has_a_token_that_is_signed_too() -> None:
    lent = AwsCredentials("AKIDEXAMPLE", "secret", "a token")
    headers = signature_headers(SignedRequest("POST", "/", HOST, ""), lent, SCOPE, AT)
    assert headers["X-Amz-Security-Token"] == "a token"
    assert "SignedHeaders=host;x-amz-date;x-amz-security-token," in headers["Authorization"]


def test_a_query_is_sent_in_the_spelling_that_is_signed() -> None:
    assert render_query([("b", "1"), ("a", "x y/&+~"), ("a", "")]) == "a=&a=x%20y%2F%26%2B~&b=1"


def test_no_repr_shows_a_secret() -> None:
    assert "secret" not in repr(AwsCredentials("id", "secret", "secret token"))
