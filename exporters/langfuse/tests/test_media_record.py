"""Media travel ahead of the OTLP request in the record of their span."""

from __future__ import annotations

import pytest

from otel_llm_langfuse.media import Medium
from otel_llm_langfuse.media_record import opened, packed
from otel_llm_langfuse.media_taking import Placed

REQUEST = b"\x0a\x03abc"
PICTURE, SOUND = Medium.of("image/png", b"a picture"), Medium.of("audio/wav", b"a sound")
IDS = {"trace_id": "0af7651916cd43dd8448eb211c80319c", "observation_id": "b7ad6b7169203331"}


def record() -> bytes:
    return packed(REQUEST, [Placed(PICTURE, "input"), Placed(SOUND, "output")], **IDS)


def test_a_record_without_media_is_its_request() -> None:
    assert packed(REQUEST, [], **IDS) is REQUEST


def test_a_record_with_media_cannot_be_taken_for_a_request() -> None:
    assert record()[0] == 1


def test_a_batch_is_opened_into_requests_and_uploads() -> None:
    batch = opened([REQUEST, record(), b""])
    assert batch.requests == [REQUEST, REQUEST, b""]
    assert [
        (
            upload.medium.content_type,
            bytes(upload.medium.data),
            upload.medium.sha256,
            upload.trace_id,
            upload.observation_id,
            upload.field,
        )
        for upload in batch.uploads
    ] == [
        ("image/png", b"a picture", PICTURE.sha256, *IDS.values(), "input"),
        ("audio/wav", b"a sound", SOUND.sha256, *IDS.values(), "output"),
    ]


def test_bytes_of_media_are_not_copied() -> None:
    source = record()
    assert all(isinstance(u.medium.data, memoryview) and u.medium.data.obj is source for u in opened([source]).uploads)


@pytest.mark.parametrize("size", [1, 3, 5, 20, -len(REQUEST) - 1])
def test_a_damaged_record_is_an_error(size: int) -> None:
    with pytest.raises(ValueError):  # noqa: PT011  (whichever part is damaged)
        opened([record()[:size]])
