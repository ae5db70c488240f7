"""Secrets are known by where they stand and how they look, never by words around them."""

from typing import Any

import pytest

from windmill.kernels.text.redaction import redactor
from windmill.kernels.text.structural_redaction import redact_by_structure


def shown(value: Any) -> Any:  # noqa: ANN401 - any JSON
    return redact_by_structure(value, redactor())


@pytest.mark.parametrize(
    "document",
    [
        {"prompt": "a monkey on a keyboard, secret garden; password: swordfish, https://u:p@host/?token=abc"},
        {"negative_prompt": "Bearer abcdefgh12345678"},
        {"each": [{"prompt": "sk-0123456789abcdefghij"}]},
        {"prompt_template": "token {shot_number}"},
        {"author": "Ann", "tokens_used": 812, "keyboard": "qwerty", "box_key": 3},
        {"scene": "the secret: a garden, and the key to it"},
        {"url": "https://host:8188/view?filename=a.png&type=output"},
        {"message": "the engine was not done within 300 s"},
        {"password": None},
    ],
)
def test_prompts_and_what_only_sounds_like_a_secret_stay_as_they_are(document: dict[str, Any]) -> None:
    assert shown(document) == document


@pytest.mark.parametrize(
    ("document", "hidden"),
    [
        ({"api_key": "abc"}, {"api_key": "***"}),
        ({"X-Api-Key": "abc", "apiKey": 7}, {"X-Api-Key": "***", "apiKey": "***"}),
        ({"token": ["a", "b"]}, {"token": ["***", "***"]}),
        ({"header": "Bearer sk-abc12345"}, {"header": "Bearer ***"}),
        ({"scene": "paint sk-0123456789abcdefghij"}, {"scene": "paint ***"}),
        ({"url": "https://ann:pw@host/a?sig=xyz&b=1"}, {"url": "https://***@host/a?sig=***&b=1"}),
        ({"url": "https://b.s3/x?X-Amz-Signature=00ff&x=1"}, {"url": "https://b.s3/x?X-Amz-Signature=***&x=1"}),
        ({"list": [{"secret": "s"}, "AKIAIOSFODNN7EXAMPLE"]}, {"list": [{"secret": "***"}, "***"]}),
        ({"message": "login failed: password=hunter22"}, {"message": "login failed: password=***"}),
        ({"warnings": ["token: abc is old"]}, {"warnings": ["token: *** is old"]}),
    ],
)
def test_secrets_are_hidden_by_their_field_their_place_or_their_shape(document: Any, hidden: Any) -> None:  # noqa: ANN401 - any JSON
    assert shown(document) == hidden
