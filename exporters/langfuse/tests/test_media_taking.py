"""Media are taken out of a span's attributes; all else in them stays."""

from __future__ import annotations

import base64
import hashlib
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from otel_llm_langfuse.chatml import chat_input, chat_output
from otel_llm_langfuse.media import MediaMode, Medium
from otel_llm_langfuse.media_taking import still_there, taken_out
from otel_llm_langfuse.media_types import UPLOADABLE, content_type

PICTURE = b"\x89PNG\r\n\x1a\n a picture of some bytes \xff\xfe\xfd"
ENCODED = base64.b64encode(PICTURE).decode()
SHA256 = hashlib.sha256(PICTURE).hexdigest()
MEDIA_ID = base64.urlsafe_b64encode(hashlib.sha256(PICTURE).digest()).decode()[:22]
INPUT = "gen_ai.input.messages"


def token(content_type: str = "image/png") -> str:
    return f"@@@langfuseMedia:type={content_type}|id={MEDIA_ID}|source=base64_data_uri@@@"


def said(*parts: Any, role: str = "user") -> str:
    return json.dumps([{"role": role, "parts": list(parts)}])


def blob(mime_type: str | None = "image/png", content: str = ENCODED, modality: str = "image") -> dict[str, Any]:
    part = {"type": "blob", "modality": modality, "content": content}
    return part if mime_type is None else {**part, "mime_type": mime_type}


def shown(part: Any, mode: MediaMode = "upload") -> Any:
    """The content of the message that Langfuse gets for a part beside a text."""
    taken = taken_out({INPUT: said({"type": "text", "content": "What is it?"}, part)}, mode)
    [message] = json.loads(chat_input(None, taken.given[INPUT], None) or "")["messages"]
    assert message["content"][0] == {"type": "text", "text": "What is it?"}
    return message["content"][1]


@pytest.mark.parametrize(
    ("part", "expected"),
    [
        (blob(), {"type": "image_url", "image_url": {"url": token()}}),
        (
            {"type": "uri", "modality": "image", "uri": f"data:image/png;base64,{ENCODED}"},
            {"type": "image_url", "image_url": {"url": token()}},
        ),
        (
            blob("audio/wav", modality="audio"),
            {"type": "input_audio", "input_audio": {"data": token("audio/wav"), "format": "wav"}},
        ),
        (
            {"type": "uri", "modality": "audio", "uri": f"data:audio/mpeg;base64,{ENCODED}"},
            {"type": "input_audio", "input_audio": {"data": token("audio/mpeg"), "format": "mpeg"}},
        ),
        (blob("application/pdf", modality="document"), {"type": "file", "file": {"file_data": token("application/pdf")}}),
        (blob("video/mp4", modality="video"), {"type": "file", "file": {"file_data": token("video/mp4")}}),
        (blob("audio/x-wav"), {"type": "input_audio", "input_audio": {"data": token("audio/wav"), "format": "wav"}}),
        # The first bytes tell what nobody declared.
        (blob(None), {"type": "image_url", "image_url": {"url": token()}}),
        (blob("image/*"), {"type": "image_url", "image_url": {"url": token()}}),
        # What is elsewhere stays there.
        (
            {"type": "uri", "modality": "image", "uri": "https://example.com/cat.png"},
            {"type": "image_url", "image_url": {"url": "https://example.com/cat.png"}},
        ),
        ({"type": "file", "modality": "image", "file_id": "file-1"}, {"type": "file", "file": {"file_id": "file-1"}}),
        # Langfuse does not take such a type.
        (blob("image/x-icon"), {"type": "text", "text": f"[image/x-icon, {len(PICTURE)} bytes, sha256:{SHA256}]"}),
        (
            {"type": "uri", "modality": "video", "uri": f"data:video/3gpp;base64,{ENCODED}"},
            {"type": "text", "text": f"[video/3gpp, {len(PICTURE)} bytes, sha256:{SHA256}]"},
        ),
        # What is no base64 is no medium.
        (blob("image/png", "not base64!"), {"type": "image_url", "image_url": {"url": "data:image/png;base64,not base64!"}}),
    ],
)
def test_a_part_holds_the_token_of_its_medium(part: dict[str, Any], expected: dict[str, Any]) -> None:
    assert shown(part) == expected


@pytest.mark.parametrize("part", [blob(), {"type": "uri", "modality": "image", "uri": f"data:image/png;base64,{ENCODED}"}])
def test_what_is_kept_stays_inline(part: dict[str, Any]) -> None:
    assert shown(part, "keep") == {"type": "image_url", "image_url": {"url": f"data:image/png;base64,{ENCODED}"}}


@pytest.mark.parametrize("part", [blob(), {"type": "uri", "modality": "image", "uri": f"data:image/png;base64,{ENCODED}"}])
def test_a_reference_tells_type_size_and_hash(part: dict[str, Any]) -> None:
    assert shown(part, "reference") == {"type": "text", "text": f"[image/png, {len(PICTURE)} bytes, sha256:{SHA256}]"}


@pytest.mark.parametrize(
    ("mode", "media"),
    [("upload", (Medium("image/png", PICTURE, base64.b64encode(bytes.fromhex(SHA256)).decode()),)), ("reference", ())],
)
def test_only_what_is_to_be_uploaded_is_handed_on_and_once(mode: MediaMode, media: tuple[Medium, ...]) -> None:
    given = {INPUT: said(blob(), blob()), "gen_ai.output.messages": said(blob(), role="assistant")}
    assert taken_out(given, mode).media == media


URI = f"data:image/png;base64,{ENCODED}"


@pytest.mark.parametrize(
    ("name", "value", "expected"),
    [
        ("gen_ai.system_instructions", json.dumps([blob()]), json.dumps([{**blob(), "content": token()}])),
        ("gen_ai.tool.call.result", URI, token()),
        ("gen_ai.tool.call.result", f"see ![it]({URI}) and '{URI}'", f"see ![it]({token()}) and '{token()}'"),
        (
            "gen_ai.tool.call.result",  # MCP
            json.dumps({"content": [{"type": "image", "data": ENCODED * 4, "mimeType": "text/plain"}]}),
            None,
        ),
        (
            "langfuse.observation.input",
            json.dumps({"messages": [{"content": [{"type": "image_url", "image_url": {"url": URI}}]}]}),
            json.dumps({"messages": [{"content": [{"type": "image_url", "image_url": {"url": token()}}]}]}),
        ),
        (
            INPUT,
            said({"type": "tool_call_response", "id": "1", "response": {"picture": URI}}, role="tool"),
            said({"type": "tool_call_response", "id": "1", "response": {"picture": token()}}, role="tool"),
        ),
        ("langfuse.observation.output", f"data:image/png;charset=utf-8;base64,{ENCODED}", token()),
    ],
)
def test_each_attribute_with_content_is_searched(name: str, value: str, expected: str | None) -> None:
    made = taken_out({name: value}, "upload").given[name]
    if expected is None:
        assert "@@@langfuseMedia:type=text/plain|" in made
    else:
        assert (json.loads(made) if expected[0] in "[{" else made) == (
            json.loads(expected) if expected[0] in "[{" else expected
        )


@pytest.mark.parametrize(
    "native",
    [
        {
            "type": "image",
            "source": {"type": "base64", "media_type": "image/png", "data": base64.b64encode(PICTURE * 4).decode()},
        },
        {"inline_data": {"mime_type": "image/png", "data": base64.b64encode(PICTURE * 4).decode()}},
        {"inlineData": {"mimeType": "image/png", "data": base64.b64encode(PICTURE * 4).decode()}},
        {"type": "input_audio", "input_audio": {"format": "wav", "data": base64.b64encode(PICTURE * 4).decode()}},
    ],
)
def test_media_in_the_vendors_own_forms_are_found_in_answers_of_tools(native: dict[str, Any]) -> None:
    taken = taken_out({INPUT: said({"type": "tool_call_response", "id": "1", "response": [native]}, role="tool")}, "upload")
    [medium] = taken.media
    assert (bytes(medium.data), medium.token in taken.given[INPUT]) == (PICTURE * 4, True)


@pytest.mark.parametrize(
    "text",
    [
        '{"type":"note","mime_type":"text/plain","data":"abcd"}',  # a word, not a file
        "data:image/png;base64,",
        "data:image/png;base64,abc%2B",
        "data:image/png,plain",
        f"data:image/png;base64,{ENCODED[:4]}\\/{ENCODED[4:]}",
        'cut JSON [{"type":"blob","content":"',
        "[" * 5000 + '"blob"',
    ],
)
def test_what_only_looks_like_media_stays(text: str) -> None:
    given = {"gen_ai.tool.call.result": text}
    assert taken_out(given, "upload").given == given


def test_url_safe_and_unpadded_base64_is_understood() -> None:
    urlsafe = base64.urlsafe_b64encode(PICTURE).decode().rstrip("=")
    assert urlsafe != ENCODED
    assert shown(blob(content=urlsafe)) == {"type": "image_url", "image_url": {"url": token()}}


def test_a_structured_value_is_searched_too() -> None:
    taken = taken_out({INPUT: [{"role": "user", "parts": [blob()]}]}, "upload")
    assert json.loads(taken.given[INPUT]) == [{"role": "user", "parts": [{**blob(), "content": token()}]}]


def test_long_prompts_that_begin_alike_are_searched_behind_their_beginning() -> None:
    system = {"role": "system", "parts": [{"type": "text", "content": "Be brief. " * 4000}]}
    questions = ["One", "Two", "Three"]
    for question in questions:
        plain = json.dumps([system, {"role": "user", "parts": [{"type": "text", "content": question}]}], separators=(",", ":"))
        assert taken_out({INPUT: plain}, "upload").given[INPUT] is plain
        pictured = json.dumps([system, {"role": "user", "parts": [blob()]}], separators=(",", ":"))
        assert [medium.id for medium in taken_out({INPUT: pictured}, "upload").media] == [MEDIA_ID]


def test_only_tokens_that_are_left_are_uploaded() -> None:
    medium = Medium.of("image/png", PICTURE)
    other = Medium.of("image/gif", b"GIF89a")
    places = still_there(
        [medium, other], {"langfuse.observation.output": f"a {medium.token} b", "langfuse.observation.input": "cut"}
    )
    assert [(placed.medium.id, placed.field) for placed in places] == [(MEDIA_ID, "output")]


def test_an_assistant_may_answer_with_a_picture() -> None:
    answered = taken_out({"gen_ai.output.messages": said(blob(), role="assistant")}, "upload").given["gen_ai.output.messages"]
    assert json.loads(chat_output(answered) or "") == {
        "role": "assistant",
        "content": [{"type": "image_url", "image_url": {"url": token()}}],
    }


def test_the_types_are_those_of_langfuse_s_sdk() -> None:
    types = pytest.importorskip("langfuse.api.media.types")
    assert {str(known.value) for known in types.MediaContentType} == UPLOADABLE


@pytest.mark.parametrize(
    ("declared", "data", "expected"),
    [
        ("IMAGE/PNG; charset=binary", b"", "image/png"),
        ("audio/x-m4a", b"", "audio/mp4"),
        ("no type", b"%PDF-1.7", "application/pdf"),
        ("image/png|id=x@@@", b"RIFF\0\0\0\0WAVE", "audio/wav"),
        (None, b"RIFF\0\0\0\0WEBP", "image/webp"),
        ("a/" + "b" * 200, b"?", "application/octet-stream"),
    ],
)
def test_a_type_is_told_in_langfuse_s_words(declared: str | None, data: bytes, expected: str) -> None:
    assert content_type(declared, data) == expected


any_text = st.text(st.characters(codec=None), max_size=40)
snippets = st.sampled_from(
    [
        "data:",
        "image/png",
        ";base64,",
        ENCODED,
        ENCODED[:7],
        '"blob"',
        '"data"',
        "@@@langfuseMedia:type=image/png|id=x@@@",
        "\\/",
        "%",
    ]
)
awkward = st.lists(any_text | snippets, max_size=6).map("".join)
texts = st.fixed_dictionaries({"type": st.just("text"), "content": awkward.filter(lambda text: ";base64," not in text)})
media = st.builds(
    blob, st.sampled_from(["image/png", "image/x-icon", "a|b", None]), st.sampled_from([ENCODED, "AAAA", "", "?"]) | awkward
)
json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | awkward,
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from(["type", "data", "mime_type", "content", "format"]), inner, max_size=4)
    ),
    max_leaves=8,
)


@given(parts=st.lists(texts | media, max_size=5), mode=st.sampled_from(["upload", "reference", "keep"]))
def test_texts_beside_media_never_change(parts: list[dict[str, Any]], mode: MediaMode) -> None:
    made = json.loads(taken_out({INPUT: said(*parts)}, mode).given[INPUT])[0]["parts"]
    before = json.loads(said(*parts))[0]["parts"]
    assert len(made) == len(before)
    assert [new for new, old in zip(made, before, strict=True) if old["type"] == "text"] == [
        part for part in before if part["type"] == "text"
    ]


@given(
    value=awkward | json_values | json_values.map(json.dumps) | st.binary(max_size=20),
    mode=st.sampled_from(["upload", "reference"]),
)
def test_anything_at_all_is_taken_and_what_is_left_holds_no_more_media(value: Any, mode: MediaMode) -> None:
    once = taken_out({INPUT: value}, mode)
    again = taken_out(once.given, mode)
    assert (again.given, again.media) == (once.given, ())
