"""Bytes in pieces to events: server-sent events, JSON documents, JSON arrays, and whatever else comes over a wire."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from otel_llm.protocols import framing
from otel_llm.protocols.framing import DONE, Format, Framing, decode_json


def read(*pieces: bytes, content_type: str | None = None) -> list[Any]:
    reader = Framing(content_type)
    events = [event for piece in pieces for event in reader.feed(piece)]
    return events + reader.end()


@pytest.mark.parametrize("line_end", [b"\n", b"\r\n", b"\r"], ids=["LF", "CRLF", "CR"])
def test_an_event_ends_with_a_blank_line_of_any_kind(line_end: bytes) -> None:
    reader = Framing()
    assert reader.feed(line_end.join([b'data: {"n":1}', b"", b'data: {"n":2}', b"", b"data: [DONE]", b"", b""])) == [
        {"n": 1},
        {"n": 2},
        DONE,
    ]
    assert reader.streamed


def test_a_crlf_may_be_cut_in_two() -> None:
    assert read(b'data: {"n":\r', b"\ndata: 1}\r", b"\n\r", b'\ndata: {"n":2}\r', b"\n\r\n") == [{"n": 1}, {"n": 2}]


def test_a_lone_cr_at_the_end_of_a_piece_is_a_line_end() -> None:
    assert read(b'data: {"n":1}\r', b'\rdata: {"n":2}\r', b"\r") == [{"n": 1}, {"n": 2}]


@pytest.mark.parametrize(
    "lines",
    [
        b'event: x\ndata: {"n":1}',
        b'data: {"n":1}\nevent: x',
        b'id: 7\nretry: 10\ndata:{"n":1}',
        b': OPENROUTER PROCESSING\n\n: \n\ndata: {"n":1}',
        b'data: {"n":1   }   ',
        b'data: {\ndata: "n":1\ndata: }',
        b'\n\n\xef\xbb\xbfdata: {"n":1}',
        b'unknown: field\n:c\ndata: {"n":1}',
        b'data: {\n: comment\ndata: "n":1}',
    ],
    ids=[
        "event first",
        "data first",
        "no space",
        "comments",
        "padding",
        "several data lines",
        "byte order mark",
        "unknown field",
        "comment amid data",
    ],
)
def test_what_may_stand_around_the_data(lines: bytes) -> None:
    assert read(lines + b"\n\n", content_type="text/event-stream; charset=utf-8") == [{"n": 1}]


def test_the_last_event_needs_no_blank_line() -> None:
    assert read(b'data: {"n":1}\n\ndata: {"n":2}') == [{"n": 1}, {"n": 2}]


def test_a_character_may_be_cut_anywhere() -> None:
    whole = 'data: {"t":"ẞ€😀"}\n\n'.encode()
    assert read(*(bytes([byte]) for byte in whole)) == [{"t": "ẞ€😀"}]


def test_invalid_utf_8_is_replaced() -> None:
    assert read(b'data: {"t":"a\xff\xc3"}\n\n') == [{"t": "a\ufffd\ufffd"}]


def test_an_event_that_is_broken_is_counted_and_the_next_is_read() -> None:
    reader = Framing()
    assert reader.feed(b'data: {"n":\n\ndata:\n\ndata: {"n":2}\n\n') == [{"n": 2}]
    assert reader.skipped == 1


@pytest.mark.parametrize(
    ("data", "event"),
    [
        (b'{"error":{"message":"no"}}', {"error": {"message": "no"}}),
        (b'{"type":"error","error":{"type":"overloaded_error"}}', {"type": "error", "error": {"type": "overloaded_error"}}),
        (b'{"message":"no"}', {"error": {"message": "no"}}),
        (b"Internal Server Error", {"error": "Internal Server Error"}),
        (b'"an error"', {"error": "an error"}),
        (b"7", {"error": 7}),
    ],
)
def test_an_error_event_always_has_an_error(data: bytes, event: Any) -> None:
    assert read(b"event: error\ndata: " + data + b"\n\n") == [event]


@pytest.mark.parametrize("first", [b"event: error", b'event: error\ndata: {"error":1}'])
def test_the_event_after_an_error_is_none(first: bytes) -> None:
    assert read(first + b'\n\ndata: {"n":1}\n\n')[-1] == {"n": 1}


# --- documents --------------------------------------------------------------------------------------------------------


def test_a_document_is_one_event_at_the_end() -> None:
    reader = Framing("application/json")
    assert reader.feed(b' {\n  "id"') == []
    assert reader.feed(b': "x" }\n') == []
    assert reader.end() == [{"id": "x"}]
    assert not reader.streamed


def test_a_document_that_was_cut_gives_what_arrived() -> None:
    reader = Framing()
    reader.feed(b'{"id":"x","choices":[{"message":{"content":"The answ')
    assert reader.end() == [{"id": "x", "choices": [{"message": {"content": "The answ"}}]}]
    assert reader.skipped == 1


def test_the_elements_of_an_array_are_events() -> None:
    reader = Framing("application/json")
    reader.feed(b'[{"n":1}\n,\r\n{"n":2}\n]')
    assert reader.end() == [{"n": 1}, {"n": 2}]
    assert reader.streamed


@pytest.mark.parametrize("body", [b"<html>Bad Gateway</html>", b"upstream connect error", b"da", b"\xff\xfe"])
def test_a_body_that_is_no_json_gives_no_events(body: bytes) -> None:
    reader = Framing("text/html")
    assert [*reader.feed(body), *reader.end()] == []
    assert (reader.format, reader.skipped) == (Format.DOCUMENT, 1)


def test_an_empty_body_gives_nothing() -> None:
    reader = Framing("application/json")
    assert [*reader.feed(b""), *reader.feed(b" \n"), *reader.end()] == []
    assert reader.skipped == 0


def test_an_empty_stream_is_still_a_stream() -> None:
    reader = Framing("text/event-stream; charset=utf-8")
    assert reader.end() == []
    assert reader.streamed


@pytest.mark.parametrize("content_type", [None, "", "application/json", "text/event-stream", "text/plain; x=y"])
@pytest.mark.parametrize(
    ("body", "found"),
    [
        (b'data: {"n":1}\n\n', Format.EVENTS),
        (b'event: x\ndata: {"n":1}\n\n', Format.EVENTS),
        (b': hello\n\ndata: {"n":1}\n\n', Format.EVENTS),
        (b'{"n":1}', Format.DOCUMENT),
        (b'[{"n":1}]', Format.ARRAY),
    ],
)
def test_the_first_bytes_decide_whatever_the_content_type_says(content_type: str | None, body: bytes, found: Format) -> None:
    reader = Framing(content_type)
    events = [event for byte in body for event in reader.feed(bytes([byte]))] + reader.end()
    assert (reader.format, events) == (found, [{"n": 1}])


# --- laws -------------------------------------------------------------------------------------------------------------

WIRE_BYTES = st.lists(
    st.one_of(
        st.sampled_from(
            [
                b"\n",
                b"\r",
                b"\r\n",
                b"\n\n",
                b"data:",
                b"event: error",
                b": c",
                b"[DONE]",
                b'{"a":1}',
                b"[",
                b"{",
                b"\xef\xbb\xbf",
                b" ",
            ]
        ),
        st.binary(max_size=8),
    ),
    max_size=40,
).map(b"".join)


@settings(deadline=None, derandomize=True)
@given(
    body=WIRE_BYTES, cuts=st.lists(st.integers(0, 200), max_size=20), content_type=st.sampled_from([None, "text/event-stream"])
)
def test_it_does_not_matter_how_the_bytes_are_cut(body: bytes, cuts: list[int], content_type: str | None) -> None:
    edges = sorted({0, len(body), *(min(cut, len(body)) for cut in cuts)})
    pieces = [body[start:end] for start, end in pairwise(edges)]
    in_pieces, whole = Framing(content_type), Framing(content_type)

    events = [event for piece in pieces for event in in_pieces.feed(piece)] + in_pieces.end()

    assert repr(events) == repr(whole.feed(body) + whole.end())
    assert (in_pieces.format, in_pieces.skipped) == (whole.format, whole.skipped)


# --- bounds -----------------------------------------------------------------------------------------------------------


def test_an_end_gives_nothing_twice() -> None:
    document, stream = Framing(), Framing()
    document.feed(b'{"n":1}')
    stream.feed(b'data: {"n":1}')
    assert (document.end(), stream.end()) == ([{"n": 1}], [{"n": 1}])
    assert (document.end(), stream.end()) == ([], [])


@pytest.mark.parametrize("start", [b"data: ", b'{"n": "', b"data: x\n", b"no json"], ids=["line", "document", "event", "text"])
def test_bytes_without_end_are_given_up(start: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(framing, "MAX_PENDING", 1000)
    reader = Framing()
    reader.feed(start)
    for _ in range(200):
        reader.feed(start if start.endswith(b"\n") else b"0123456789")
    assert reader.overflowed
    assert reader.feed(b'\n\ndata: {"n":1}\n\n') == []
    assert reader.end() == []


def test_a_long_stream_is_not_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(framing, "MAX_PENDING", 100)
    reader = Framing()
    events = [event for n in range(100) for event in reader.feed(b'data: {"n":%d}\n\n' % n)]
    assert events == [{"n": n} for n in range(100)]
    assert not reader.overflowed


# --- decode_json ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("data", "value"),
    [
        (b'{"a": [1, 2.5, null]}', {"a": [1, 2.5, None]}),
        ('"text"', "text"),
        (b'\xef\xbb\xbf{"a":1}', {"a": 1}),
        ('\ufeff{"a":1}', {"a": 1}),
        (b'"\\ud83d"', "\ud83d"),
        (b'"\xff"', "\ufffd"),
        (b"123456789012345678901234567890", 123456789012345678901234567890),
    ],
)
def test_decode_json_takes_what_vendors_send(data: bytes | str, value: Any) -> None:
    assert decode_json(data) == value


@pytest.mark.parametrize("data", ["NaN", b"[-Infinity]", "\ufeff[Infinity]"])
def test_nan_and_infinity_are_json_only_where_wanted(data: bytes | str) -> None:
    assert repr(decode_json(data)) in ("nan", "[-inf]", "[inf]")
    with pytest.raises(ValueError, match="is not JSON"):
        decode_json(data, nan=False)


@pytest.mark.parametrize("data", [b"", b"{", "nonsense", b"[" * 100_000, b"9" * 10_000, b"\xff\xfe\x00"])
def test_decode_json_raises_only_value_error(data: bytes | str) -> None:
    with pytest.raises(ValueError):  # noqa: PT011  (any message)
        decode_json(data)
