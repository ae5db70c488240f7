"""What is hidden in texts, and what is left to be read."""

import json
import string
import time
from collections.abc import Callable
from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from windmill.kernels.text.redaction import HIDDEN, names_secret, redactor

HIDES = [
    ("amqp://fleet:pa55@mq:5672/v", "amqp://***@mq:5672/v"),
    ("https://someone@host/x", "https://***@host/x"),
    ("postgres://u:with/slash@h:5432/db", "postgres://***@h:5432/db"),
    ("amqp://u:at@in@host/x", "amqp://***@host/x"),
    ("netloc 'user:pa55@ex\u2100mple.com' contains invalid", "netloc '***@ex\u2100mple.com' contains invalid"),
    ("Port could not be cast to integer value as 'pa55'", "Port could not be cast to integer value as ***"),
    ("GET https://b.s3/i.jpg?X-Amz-Signature=ab12&w=1", "GET https://b.s3/i.jpg?X-Amz-Signature=***&w=1"),
    ("?sig=a%2Fb&se=2026", "?sig=***&se=2026"),
    ("?X-Amz-Credential=AK/2026&X-Amz-Security-Token=q", "?X-Amz-Credential=***&X-Amz-Security-Token=***"),
    ("?key=abc&n=1", "?key=***&n=1"),
    ("token=abc more", "token=*** more"),
    ("DB_PASSWORD=abc\nnext", "DB_PASSWORD=***\nnext"),
    ("password='two words' host=h", "password=*** host=h"),
    ('{"api_key": "a \\" b", "n": 1}', '{"api_key": ***, "n": 1}'),
    ("Authorization: Basic YTpi more\nHost: h", "Authorization: ***\nHost: h"),
    ("{'Authorization': 'Bearer q', 'Host': 'h'}", "{'Authorization': ***, 'Host': 'h'}"),
    ("(b'authorization', b'Basic YTpi')", "(b'authorization', ***)"),
    ("sent Bearer eyJ.abc-_ to h", "sent Bearer *** to h"),
    ("Set-Cookie: session=1", "Set-Cookie: ***"),
]
LEAVES = [
    "",
    "stored 25 rows",
    "https://host:8080/pictures/eye@2x.png?w=100",
    "image /pictures/17.jpg of clip at localhost:7778",
    "box_key=ab12 signal=SIGTERM passed=3 monkey=5 code=BAD_RESPONSE trace_id=7",
    "wrote to someone@example.org: no basic needs",
    "CONFIG_INVALID: correct QUEUE_USER, QUEUE_PASSWORD and QUEUE_VHOST, or create them in RabbitMQ",
]


@pytest.mark.parametrize(("text", "shown"), HIDES)
def test_what_looks_as_a_secret_does_is_hidden_and_nothing_else(text: str, shown: str) -> None:
    assert redactor()(text) == shown


@pytest.mark.parametrize("text", LEAVES)
def test_what_holds_no_secret_stays_as_it_is(text: str) -> None:
    assert redactor(["hunter2!"])(text) == text


@pytest.mark.parametrize(
    ("name", "hidden"),
    [(name, True) for name in ("password", "DB_PASSWORD", "token", "api-key", "key", "Authorization", "cookie", "sig")]
    + [(name, False) for name in ("signal", "box_key", "image_id", "code", "keys", "passed", "author", "reason")],
)
def test_a_name_tells_whether_its_value_is_a_secret(name: str, hidden: bool) -> None:
    assert names_secret(name) is hidden


def test_a_short_secret_is_hidden_where_it_stands_alone_and_words_that_hold_it_stay() -> None:
    assert redactor(["ab"])("about ab, 'ab' and tab") == f"about {HIDDEN}, '{HIDDEN}' and tab"


# Without what stands around it, and the stars that take its place.
SECRET = st.text(min_size=5).filter(lambda one: "*" not in one and one not in "before  after")
WAYS: list[Callable[[str], str]] = [
    str,
    lambda secret: repr(secret)[1:-1],
    lambda secret: json.dumps(secret)[1:-1],
    lambda secret: quote(secret, safe=""),
]
IN_URLS = st.text(string.ascii_letters + string.digits + "-._~!$'()+,;=", min_size=6)


@given(SECRET, st.sampled_from(WAYS))
def test_the_value_of_a_secret_never_appears_however_it_is_written(secret: str, write: Callable[[str], str]) -> None:
    shown = redactor([secret])(f"before {write(secret)} after")
    assert secret not in shown
    assert write(secret) not in shown


@given(IN_URLS, st.sampled_from(["password={} x", "https://u:{}@host/", "https://host/?a=1&token={}&b=2", "key={}"]))
def test_nobody_has_to_know_a_secret_for_it_to_be_hidden_in_its_usual_places(secret: str, place: str) -> None:
    assert secret not in redactor()(place.format(secret))


@pytest.mark.parametrize("piece", ["://a:b", 'password="', "pass", 'authorization:"\\', "token " * 3, "://@"])
def test_a_hostile_text_of_100_kb_takes_no_more_than_a_moment(piece: str) -> None:
    text = piece * (100_000 // len(piece))
    began = time.process_time()
    redactor(["hunter2!"])(text + "@")
    assert time.process_time() - began < 5
