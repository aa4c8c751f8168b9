"""Bytes in pieces to events: server-sent events, JSON documents, JSON arrays, and whatever else comes over a wire."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from otel_llm.protocols import framing, framing_document
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


# --- lines ------------------------------------------------------------------------------------------------------------

NDJSON = "application/x-ndjson; charset=utf-8"


@pytest.mark.parametrize("content_type", [NDJSON, "application/jsonl", "application/stream+json"])
def test_a_line_is_an_event_as_soon_as_it_is_complete(content_type: str) -> None:
    reader = Framing(content_type)
    assert reader.feed(b'{"n":1}') == []
    assert reader.feed(b'\n{"n"') == [{"n": 1}]
    assert reader.feed(b':2}\n{"n":3}\n') == [{"n": 2}, {"n": 3}]
    assert reader.end() == []
    assert (reader.format, reader.streamed, reader.skipped) == (Format.LINES, True, 0)


@pytest.mark.parametrize("content_type", [None, "application/json", "text/event-stream", "text/plain"])
def test_lines_under_another_content_type_show_by_the_second_one(content_type: str | None) -> None:
    reader = Framing(content_type)
    assert reader.feed(b'{"n":1}\n') == []
    assert reader.feed(b"\r\n ") == []
    assert not reader.streamed
    assert reader.feed(b"{") == [{"n": 1}]
    assert reader.streamed
    assert reader.feed(b'"n":2}\n') == [{"n": 2}]


@pytest.mark.parametrize(
    "body",
    [
        b'{"n":1}\r\n{"n":2}\r\n',
        b'\n\n{"n":1}\n\n \n{"n":2}',
        b'\xef\xbb\xbf{"n":1}\n{"n":2}',
        b'  {"n":1  }  \n\t{"n":2}\n\n',
    ],
    ids=["CRLF", "blank lines", "byte order mark", "spaces"],
)
@pytest.mark.parametrize("content_type", [NDJSON, None])
def test_what_may_stand_around_lines(body: bytes, content_type: str | None) -> None:
    assert read(body, content_type=content_type) == [{"n": 1}, {"n": 2}]
    assert read(*(bytes([byte]) for byte in body), content_type=content_type) == [{"n": 1}, {"n": 2}]


@pytest.mark.parametrize("broken", [b"{broken", b"upstream connect error", b'{"n":', b"}"])
@pytest.mark.parametrize("place", [0, 1, 2])
def test_a_line_that_is_broken_is_counted_and_the_next_is_read(broken: bytes, place: int) -> None:
    lines = [b'{"n":1}', b'{"n":2}']
    lines.insert(place, broken)
    reader = Framing(NDJSON)
    assert [*reader.feed(b"\n".join(lines)), *reader.end()] == [{"n": 1}, {"n": 2}]
    assert (reader.format, reader.skipped) == (Format.LINES, 1)


@pytest.mark.parametrize("content_type", [None, "application/json", NDJSON])
@pytest.mark.parametrize(
    "body",
    [b'{\n  "n": 1\n}\n', b'{\r\n\r\n"n": {\r\n}}', b'{\n"n": [\n{"n": 1}\n]}'],
    ids=["indented", "CRLF", "an object on a line of its own"],
)
def test_a_document_that_is_spread_over_lines_is_one(body: bytes, content_type: str | None) -> None:
    for pieces in ([body], [bytes([byte]) for byte in body]):
        reader = Framing(content_type)
        assert [event for piece in pieces for event in reader.feed(piece)] == []
        assert reader.end() == [decode_json(body)]
        assert not reader.streamed


@pytest.mark.parametrize("body", [b'{"n":\n1}', b'{"n":1}\n', b'{"n":1}\r\n \n', b'{"n":1,\n\n"m":{}}'])
def test_a_document_with_line_ends_is_one(body: bytes) -> None:
    reader = Framing("application/json")
    assert [*reader.feed(body), *reader.end()] == [decode_json(body)]
    assert (reader.format, reader.skipped) == (Format.DOCUMENT, 0)


def test_no_lines_are_still_a_stream() -> None:
    reader = Framing(NDJSON)
    assert (reader.end(), reader.streamed) == ([], True)


@pytest.mark.parametrize("body", [b'{"error":"no"}', b"{", b"no json"])
def test_the_content_type_decides_about_a_single_line(body: bytes) -> None:
    document, lines = Framing("application/json"), Framing(NDJSON)
    for reader in (document, lines):
        reader.feed(body)
        reader.end()
    assert (document.format, lines.format) == (Format.DOCUMENT, Format.LINES)


def test_a_done_among_lines_ends_them() -> None:
    assert read(b'{"n":1}\n[DONE]\n', content_type=NDJSON) == [{"n": 1}, DONE]


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
                b'{"a":1}\n',
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


@pytest.mark.parametrize(
    ("start", "content_type"),
    [
        (b"data: ", None),
        (b'{"n": "', None),
        (b"data: x\n", None),
        (b"no json", None),
        (b'{"n": "', NDJSON),
        (b'{"n":1}\n{"', None),
    ],
    ids=["event's line", "document", "event", "text", "line", "second line"],
)
def test_bytes_without_end_are_given_up(start: bytes, content_type: str | None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(framing, "MAX_PENDING", 1000)
    reader = Framing(content_type)
    reader.feed(start)
    for _ in range(200):
        reader.feed(start if start == b"data: x\n" else b"0123456789")
    assert reader.overflowed
    assert reader.feed(b'\n\ndata: {"n":1}\n\n') == []
    assert reader.end() == []


def test_what_was_skipped_before_a_body_was_given_up_is_still_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(framing, "MAX_PENDING", 10)
    reader = Framing(NDJSON)
    assert [*reader.feed(b"{broken\n"), *reader.feed(b"12345678901"), *reader.end()] == []
    assert (reader.overflowed, reader.skipped) == (True, 1)


def test_a_document_is_searched_for_lines_only_once(monkeypatch: pytest.MonkeyPatch) -> None:
    looked_at: list[bytes] = []
    monkeypatch.setattr(framing_document, "_is_object", lambda line: bool(looked_at.append(line)))
    body = b'{\n"n": [' + b"1,\n" * 100 + b"1]}"
    assert read(*(bytes([byte]) for byte in body)) == [{"n": [1] * 101}]
    assert looked_at == [b"{"]


@pytest.mark.parametrize("line", [b'data: {"n":%d}\n\n', b'{"n":%d}\n'], ids=["events", "lines"])
def test_a_long_stream_is_not_given_up(line: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(framing, "MAX_PENDING", 100)
    reader = Framing()
    halves = [half for n in range(100) for half in ((line % n)[:9], (line % n)[9:])]
    assert [event for half in halves for event in reader.feed(half)] == [{"n": n} for n in range(100)]
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
