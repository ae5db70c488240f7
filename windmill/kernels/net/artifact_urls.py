"""Addresses of images that are artifacts, such as artifact:ab12...: the SHA-256 of a file in the store of artifacts,
which every machine of the fleet knows as ARTIFACTS_URL."""

import re

SCHEME = "artifact:"
_DIGEST = re.compile(r"[0-9a-f]{64}")


def artifact_url(sha256: str) -> str:
    """The address of the file with this digest."""
    return SCHEME + sha256


def is_artifact_url(text: str) -> bool:
    """Whether it means an artifact; perhaps one that cannot be."""
    return text.startswith(SCHEME)


def artifact_digest(address: str) -> str:
    """The digest in an address; ValueError if it has none."""
    digest = address.removeprefix(SCHEME)
    if not _DIGEST.fullmatch(digest):
        raise ValueError("is not artifact: with a SHA-256 in 64 lower-case hexadecimal digits")
    return digest


def artifact_path(sha256: str) -> str:
    """Where the file with this digest lies in the store: 256 folders, so that none grows too large to list."""
    return f"{sha256[:2]}/{sha256}"
