"""Which files are copies of which."""

from hypothesis import given
from hypothesis import strategies as st

from windmill.kernels.media.sample import HEAD_BYTES, sample_of
from windmill.submit.copies import sort_out


def test_a_copy_of_a_registered_image_names_it() -> None:
    found = sort_out({"/b": b"1", "/c": b"2"}, {b"1": 7})
    assert (found.registered, found.new) == ({"/b": 7}, {})
    assert found.has("/b")
    assert not found.has("/c")


def test_of_new_files_the_first_is_the_original() -> None:
    assert sort_out({"/a": b"1", "/b": b"2", "/c": b"1", "/d": b"1"}, {}).new == {"/c": "/a", "/d": "/a"}


@given(st.dictionaries(st.text(), st.sampled_from([b"1", b"2", b"3"])), st.dictionaries(st.just(b"1"), st.integers()))
def test_each_digest_has_one_original(digests: dict[str, bytes], originals: dict[bytes, int]) -> None:
    found = sort_out(digests, originals)
    firsts = [digests[location] for location in digests if not found.has(location)]
    assert sorted(set(firsts)) == sorted(firsts)
    assert set(digests.values()) - set(originals) == set(firsts)


def test_a_sample_tells_sizes_and_beginnings_apart_and_fits_into_a_bigint() -> None:
    head = bytes(HEAD_BYTES)
    samples = {sample_of(size, start) for size in (4096, 4097, 2**40) for start in (head, b"1" + head[1:])}
    assert len(samples) == 6
    assert all(-(2**63) <= sample < 2**63 for sample in samples)
    assert sample_of(9000, head + b"more") == sample_of(9000, head)
