"""Hosts: which are public, and how others are allowed by name, address or network."""

import pytest

from windmill.core.errors import ConfigInvalid
from windmill.core.settings import Settings
from windmill.kernels.net.private_hosts import address_allowed


@pytest.mark.parametrize(
    ("address", "public"),
    [
        ("8.8.8.8", True),
        ("172.15.255.255", True),
        ("172.16.0.0", False),
        ("172.31.255.255", False),
        ("172.32.0.0", True),
        ("100.63.255.255", True),
        ("100.64.0.0", False),
        ("100.127.255.255", False),
        ("100.128.0.0", True),
        ("198.18.0.1", False),
        ("223.255.255.255", True),
        ("224.0.0.0", False),
        ("239.255.255.255", False),
        ("2600::1", True),
        ("::ffff:8.8.8.8", True),
        ("64:ff9b::8.8.8.8", True),
        ("64:ff9b::10.0.0.1", False),
        ("2002:808:808::1", True),
        ("2002:a00:1::1", False),
        ("2001:db8::1", False),
        ("ff0e::1", False),
        ("4000::1", False),
        ("no address", False),
    ],
)
def test_an_address_is_public_or_not_on_either_side_of_each_border(address: str, public: bool) -> None:
    assert address_allowed("any.example", address, frozenset()) is public


@pytest.mark.parametrize(
    ("entry", "why"),
    [
        ("10.0.0.1/8", "host bits"),
        ("10.0.0.0/33", "does not appear"),
        ("nas.local/24", "does not appear"),
        ("127.1", "does not appear"),
        ("0177.0.0.1", "does not appear"),
        ("nas.local:8080", "does not appear"),
        ("*.local", "not a host name"),
        ("my nas", "not a host name"),
        ("-nas", "not a host name"),
    ],
)
def test_what_cannot_be_allowed_is_told_at_the_start(entry: str, why: str) -> None:
    with pytest.raises(ConfigInvalid, match="such as nas") as error:
        Settings.from_env({"IMAGE_URL_ALLOW": f"nas.local, {entry}"})
    assert why in str(error.value)


def test_allowed_hosts_are_compared_in_one_spelling() -> None:
    allowed = Settings.from_env({"IMAGE_URL_ALLOW": "NAS.Local., [FD00::0:1], 10.0.0.0/8"}).image_url_allow
    assert allowed == ("nas.local", "fd00::1", "10.0.0.0/8")
    assert address_allowed("nas.LOCAL.", "192.168.1.1", frozenset(allowed))
    assert address_allowed("any.example", "fd00::1", frozenset(allowed))
    assert not address_allowed("any.example", "192.168.1.1", frozenset(allowed))
