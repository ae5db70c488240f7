"""Addresses of objects in stores."""

import pytest

from windmill.kernels.net.store_urls import StoreUrl, allowed_store, is_store_url, may_read, parsed


def test_a_key_stands_in_an_address_as_it_is() -> None:
    assert parsed("s3://photos/2026/a b#c?d%20e.jpg") == StoreUrl("s3", "photos", "2026/a b#c?d%20e.jpg")
    assert parsed("s3://photos") == parsed("s3://photos/") == StoreUrl("s3", "photos", "")


@pytest.mark.parametrize(
    "text", ["s3://", "s3:///a", "s3://a b/c", "s3://a:80/c", "s3://me@a/c", "s3://a//c", "s3://a/../c", "s3://a/./c"]
)
def test_what_leads_elsewhere_is_no_address(text: str) -> None:
    assert is_store_url(text)
    with pytest.raises(ValueError, match=r"names no|empty part|among its"):
        parsed(text)


@pytest.mark.parametrize("text", ["a.jpg", "/s3://", "http://s3/a", "s4://a/b"])
def test_other_places_are_no_stores(text: str) -> None:
    assert not is_store_url(text)


@pytest.mark.parametrize(
    ("text", "may"),
    [
        ("s3://a/x.jpg", True),
        ("s3://a", True),
        ("s3://b/in/x.jpg", True),
        ("s3://b/in", True),
        ("s3://b/inner/x.jpg", False),
        ("s3://b", False),
        ("s3://ab/x.jpg", False),
    ],
)
def test_a_bucket_or_a_folder_of_one_is_allowed_with_all_that_is_in_it(text: str, may: bool) -> None:
    allowed = [allowed_store("s3://a"), allowed_store("S3://b/in/")]
    assert may_read(parsed(text), allowed) is may
    assert not may_read(parsed(text), [])
