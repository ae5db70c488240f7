"""Reading request bodies: what is a field, what is a file, and what is neither."""

import pytest

from dev.farm.forms import Form, Upload, parse_body

MULTIPART = "multipart/form-data; boundary=abc"


def part(disposition: str, content: bytes, more: str = "") -> bytes:
    return f"--abc\r\nContent-Disposition: form-data; {disposition}\r\n{more}\r\n".encode() + content + b"\r\n"


def test_a_file_and_its_neighbours_are_told_apart() -> None:
    body = part('name="prompt"', b"why?") + part('name="file"; filename="a.jpg"', b"\xff\xd8") + b"--abc--\r\n"
    assert parse_body(MULTIPART, body) == Form({"prompt": "why?"}, {"file": Upload("a.jpg", b"\xff\xd8")})


@pytest.mark.parametrize("content", [b"", b"\r\n", b"a\r\n\r\nb", b"--abd\r\n", b"\r\n--ab", bytes(range(256))])
def test_the_content_of_a_file_is_kept_to_the_byte(content: bytes) -> None:
    more = "Content-Type: image/jpeg\r\n"
    form = parse_body(MULTIPART, part('name="file"; filename="a.jpg"', content, more) + b"--abc--\r\n")
    assert form.files["file"].data == content


@pytest.mark.parametrize(
    ("disposition", "filename"),
    [
        ('name="file"; filename="semi;colon.png"', "semi;colon.png"),
        ("name=file; filename=bare.png", "bare.png"),
        ("name=\"file\"; filename*=utf-8''%C3%A9t%C3%A9.png", "été.png"),
        ('filename="first.png"; name="file"', "first.png"),
        ('name="file"; filename="été.png"', "été.png"),
        ('name="file"; filename=""', ""),
    ],
)
def test_the_file_name_is_read_in_every_spelling(disposition: str, filename: str) -> None:
    assert parse_body(MULTIPART, part(disposition, b"x") + b"--abc--").files["file"].filename == filename


def test_of_two_files_in_one_field_the_first_counts() -> None:
    both = part('name="file"; filename="1.png"', b"1") + part('name="file"; filename="2.png"', b"2")
    assert parse_body(MULTIPART, both + b"--abc--").files["file"].data == b"1"


def test_a_body_that_was_cut_still_gives_the_part_that_came() -> None:
    cut = part('name="file"; filename="1.png"', b"1" * 50)[:-20]
    assert parse_body(MULTIPART, cut).files["file"].data.startswith(b"1" * 30)


def test_other_forms_give_their_fields() -> None:
    assert parse_body("application/x-www-form-urlencoded", b"a=1&b=&c=%C3%A9").fields == {"a": "1", "b": "", "c": "é"}
    assert parse_body("application/json; charset=utf-8", b'{"a": "x", "b": 2}').fields == {"a": "x"}


@pytest.mark.parametrize(
    ("content_type", "body"),
    [
        ("", b"anything"),
        ("image/jpeg", b"\xff\xd8\xff"),
        ("multipart/form-data", b"--abc\r\n"),
        (MULTIPART, b"no boundary in here"),
        (MULTIPART, b"--abc\r\nnot a header\r\n\r\nx\r\n--abc--"),
        ("application/json", b"{"),
        ("application/json", b"[1]"),
        (";;=;", b"\x00"),
    ],
)
def test_a_body_that_is_no_form_is_an_empty_one(content_type: str, body: bytes) -> None:
    assert parse_body(content_type, body) == Form()
