"""Addresses of objects in stores."""

import pytest

from windmill.kernels.net.store_urls import (
    StoreEndpoints,
    StoreUrl,
    allowed_store,
    dav_hosts,
    is_store_url,
    may_read,
    of_web_url,
    parsed,
    shown,
    unknown_scheme,
)


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


@pytest.mark.parametrize(
    ("text", "same"),
    [
        ("gs://photos/a.jpg", "gs://photos/a.jpg"),
        ("gcs://photos/a.jpg", "gs://photos/a.jpg"),
        ("s3a://photos/a.jpg", "s3://photos/a.jpg"),
        ("az://photos/a.jpg", "az://photos/a.jpg"),
        ("azure://photos/a.jpg", "az://photos/a.jpg"),
        ("adl://photos/a.jpg", "az://photos/a.jpg"),
        ("abfs://photos/a.jpg", "az://photos/a.jpg"),
        ("abfss://photos/a.jpg", "az://photos/a.jpg"),
        ("az://$web/a.jpg", "az://$web/a.jpg"),
        ("DAV://NAS.local:8080/A b.jpg", "dav://nas.local:8080/A b.jpg"),
        ("webdavs://nas.local/a.jpg", "davs://nas.local/a.jpg"),
        ("davs://[fd00::1]:443/a.jpg", "davs://[fd00::1]:443/a.jpg"),
    ],
)
def test_every_store_has_one_spelling(text: str, same: str) -> None:
    assert is_store_url(text)
    assert str(parsed(text)) == same


@pytest.mark.parametrize(
    "text",
    [
        "az://Photos/a",
        "az://a.b/c",
        "az://$other/c",
        "gs://a:b/c",
        "dav://",
        "dav:///a",
        "dav://a:99x/b",
        "dav://a b/c",
    ],
)
def test_what_no_store_calls_so_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="names no"):
        parsed(text)


@pytest.mark.parametrize(
    "text", ["dav://me:hunter22@nas/a.jpg", "davs://hunter22@nas/a.jpg", "dav://me:hunt/er22@nas/a"]
)
def test_an_account_in_an_address_is_refused_and_never_shown(text: str) -> None:
    with pytest.raises(ValueError, match=r"WEBDAV_USER|names no host") as refused:
        parsed(text)
    assert "hunt" not in str(refused.value)
    assert shown(text) is None


def test_an_address_is_shown_even_where_it_is_wrong_if_nothing_in_it_can_be_a_password() -> None:
    assert shown("S3://photos/a@b:c.jpg") == "s3://photos/a@b:c.jpg"
    assert shown("s3://photos/../a.jpg") == "s3://photos/../a.jpg"


@pytest.mark.parametrize(
    ("text", "advice"),
    [
        (
            "hdfs://cluster/a",
            "hdfs://, which is none of http://, https://, s3://, gs://, az://, dav://, davs://; mount it",
        ),
        ("file:///a.jpg", "name the path alone"),
    ],
)
def test_another_scheme_is_told_with_what_is_possible_instead(text: str, advice: str) -> None:
    assert not is_store_url(text)
    assert advice in unknown_scheme(text)


@pytest.mark.parametrize(
    ("text", "advice"),
    [
        ("https://nas/photos", "davs://host/folder"),
        ("ftp://nas/photos", "mount it"),
        ("photos", "does not begin with s3://"),
    ],
)
def test_what_cannot_be_allowed_is_told_with_what_can(text: str, advice: str) -> None:
    with pytest.raises(ValueError, match="does not begin with") as refused:
        allowed_store(text)
    assert advice in str(refused.value)


def test_the_webdav_servers_that_are_allowed() -> None:
    allowed = [allowed_store(one) for one in ("dav://b/x", "davs://a", "s3://c", "dav://b/y")]
    assert dav_hosts(allowed) == ["a", "b"]


OURS = StoreEndpoints(azure_account="ours")
LOCAL = StoreEndpoints("http://minio:9000", "http://gcs:4443", "http://azurite:10000/ours", "ours")


@pytest.mark.parametrize(
    ("url", "endpoints", "meant"),
    [
        ("https://s3.eu-west-1.amazonaws.com/photos/a%20b.jpg", OURS, "s3://photos/a b.jpg"),
        ("https://photos.s3.amazonaws.com/in/", OURS, "s3://photos/in/"),
        ("https://photos.s3.eu-west-1.amazonaws.com/a.jpg", OURS, "s3://photos/a.jpg"),
        ("http://minio:9000/photos/a.jpg", LOCAL, "s3://photos/a.jpg"),
        ("https://storage.googleapis.com/photos/%C3%BC.jpg", OURS, "gs://photos/ü.jpg"),
        ("http://gcs:4443/photos/a.jpg", LOCAL, "gs://photos/a.jpg"),
        ("https://ours.blob.core.windows.net/photos/a.jpg", OURS, "az://photos/a.jpg"),
        ("https://ours.dfs.core.windows.net/photos", OURS, "az://photos/"),
        ("http://azurite:10000/ours/photos/a.jpg", LOCAL, "az://photos/a.jpg"),
        ("https://NAS.local/photos/a%23b.jpg", OURS, "davs://nas.local/photos/a#b.jpg"),
        ("http://nas.local:8080/photos/", OURS, "dav://nas.local:8080/photos/"),
    ],
)
def test_a_url_of_the_web_means_an_object_of_the_store_that_the_account_is_for(
    url: str, endpoints: StoreEndpoints, meant: str
) -> None:
    assert meant in [str(one) for one in of_web_url(url, endpoints)]


@pytest.mark.parametrize(
    ("url", "endpoints"),
    [
        ("https://s3.amazonaws.com/photos/a.jpg", LOCAL),
        ("https://storage.googleapis.com/photos/a.jpg", LOCAL),
        ("https://ours.blob.core.windows.net/photos/a.jpg", LOCAL),
        ("https://theirs.blob.core.windows.net/photos/a.jpg", OURS),
        ("http://s3.amazonaws.com/photos/a.jpg", OURS),
        ("https://s3.amazonaws.com.example/photos/a.jpg", OURS),
    ],
)
def test_a_url_of_another_store_or_account_means_none_of_ours(url: str, endpoints: StoreEndpoints) -> None:
    assert {one.scheme for one in of_web_url(url, endpoints)} <= {"dav", "davs"}


@pytest.mark.parametrize(
    "url",
    ["https://ours.blob.core.windows.net/photos/a.jpg?sig=x", "https://nas/a.jpg#b", "https://me:pw@nas/a.jpg",
     "https://nas/%ff.jpg", "https://nas/a//b.jpg", "https://nas/%2e%2e/a.jpg", "https://[nas/a.jpg"],
)  # fmt: skip
def test_a_url_that_needs_no_account_or_leads_elsewhere_means_no_object(url: str) -> None:
    assert of_web_url(url, OURS) == []
