"""Under which name an answer is saved."""

from email.message import Message

import pytest

from gateway.attachments import attachment


@pytest.mark.parametrize(
    ("name", "plain"),
    [
        ("a b.png", "a b.png"),
        ('ü"x".png', "__x_.png"),
        ("..\\..\\a%41/b;c.png", ".._.._a_41_b;c.png"),
        ("a\r\nSet-Cookie: b", "a__Set-Cookie: b"),
        ("写真.jpg", "__.jpg"),
    ],
)
def test_a_file_has_its_name_and_one_in_ascii_for_clients_that_read_no_other(name: str, plain: str) -> None:
    header = attachment(name)
    assert header.isascii()
    assert header.isprintable()
    first, _, second = header.removeprefix("attachment; ").partition("; filename*=")
    assert first == f'filename="{plain}"'
    read = Message()
    read["Content-Disposition"] = f"attachment; filename*={second}"
    assert read.get_filename() == name
