"""A short digest of how a file begins and how long it is: files of different samples are no copies of each other."""

import hashlib

HEAD_BYTES = 4096


def sample_of(size: int, head: bytes) -> int:
    """Of the first HEAD_BYTES bytes; fits into a bigint of PostgreSQL."""
    digest = hashlib.blake2b(head[:HEAD_BYTES], digest_size=8, salt=size.to_bytes(8))
    return int.from_bytes(digest.digest(), signed=True)
