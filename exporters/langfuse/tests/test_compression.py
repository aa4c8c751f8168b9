"""Bodies are ordinary gzip, whatever texts were known."""

from __future__ import annotations

import gzip

import pytest
from hypothesis import given
from hypothesis import strategies as st

from otel_llm_langfuse import compression
from otel_llm_langfuse.compression import gzipped

TEXTS = st.text(min_size=1, max_size=200).filter(lambda text: text.isprintable())


@given(texts=st.lists(TEXTS, max_size=3), others=st.lists(st.binary(max_size=300), max_size=4))
def test_any_records_are_read_back(texts: list[str], others: list[bytes]) -> None:
    records = [before + text.encode() + after for before in others[:2] for text in texts for after in others[2:]] + others
    assert gzip.decompress(gzipped(records, texts)) == b"".join(records)


@pytest.mark.parametrize(
    "record",
    [
        pytest.param(b"{} and what follows", id="at the beginning"),
        pytest.param(b"what precedes {}", id="at the end"),
        pytest.param(b"{}{}", id="twice"),
        pytest.param(b"no such text", id="not there"),
    ],
)
def test_a_known_text_may_be_anywhere(record: bytes) -> None:
    text = "→ You are a helpful assistant. " * 2000
    records = [record.replace(b"{}", text.encode())] * 3
    assert gzip.decompress(gzipped(records, [text[:40] + "another", text])) == b"".join(records)


def test_a_known_text_is_compressed_once(monkeypatch: pytest.MonkeyPatch) -> None:
    compression._block.cache_clear()
    text = "You are a helpful assistant. " * 2000
    first = gzipped([text.encode()], [text])
    monkeypatch.setattr(compression, "_packer", lambda: pytest.fail("compressed again"))
    assert compression._block(text).packed in first


def test_nothing_is_an_empty_body() -> None:
    assert gzip.decompress(gzipped([])) == b""
