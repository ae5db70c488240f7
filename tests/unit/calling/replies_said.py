"""Replies of services, and how they are judged."""

import pytest

from windmill.calling.reply_parser import parse_reply
from windmill.core.errors import WindmillError


def success(predictions: str, processing_time: str = "0.5") -> bytes:
    return (
        f'{{"status": "success", "predictions": {predictions}, "metadata": {{"processing_time": {processing_time}}}}}'
    ).encode()


def refusal(status: int, body: bytes, foreign: frozenset[str] = frozenset()) -> WindmillError:
    with pytest.raises(WindmillError) as refused:
        parse_reply(status, body, foreign)
    return refused.value


def code_of(status: int, body: bytes) -> tuple[str, str]:
    error = refusal(status, body)
    return error.code, error.retry
