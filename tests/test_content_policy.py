"""What a destination gets of messages, tools and files in each mode."""

from __future__ import annotations

import base64
import hashlib
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from opentelemetry.sdk.trace import Event, ReadableSpan
from opentelemetry.trace import Status, StatusCode

from otel_llm import content_policy, masking
from otel_llm.content_policy import NONE, ContentMode, ContentPolicy
from otel_llm.content_spans import told, told_around_attributes
from otel_llm.mask_patterns import SECRETS
from otel_llm.masking import FAILED, Mask

KEY = "sk-abcdefghijklmnopqrstuvwx0123456789"
UNMASKED = Mask(frozenset())
MODES = list(ContentMode)
CONTENT = (
    "gen_ai.system_instructions",
    "gen_ai.input.messages",
    "gen_ai.output.messages",
    "gen_ai.tool.definitions",
    "gen_ai.tool.call.arguments",
    "gen_ai.tool.call.result",
    "gen_ai.retrieval.query.text",
    "gen_ai.retrieval.documents",
    "gen_ai.memory.query.text",
    "gen_ai.memory.records",
    "langfuse.observation.input",
    "langfuse.observation.output",
    "langfuse.trace.input",
    "langfuse.trace.output",
    "input.value",
    "output.value",
    "gen_ai.prompt.0.content",
    "gen_ai.completion",
    "llm.input_messages.0.message.content",
    "traceloop.entity.input",
)
FULL, TRUNCATED, HASH = ContentMode.FULL, ContentMode.TRUNCATED, ContentMode.HASH
PICTURE = base64.b64encode(bytes(range(256)) * 4).decode()


def sha256(text: str | bytes) -> str:
    return hashlib.sha256(text.encode() if isinstance(text, str) else text).hexdigest()


def hash_of(text: str) -> str:
    return f"[{len(text)} characters, sha256:{sha256(text)}]"


def messages(*parts: dict[str, Any]) -> str:
    return json.dumps([{"role": "user", "parts": list(parts)}])


def text_part(content: str) -> dict[str, Any]:
    return {"type": "text", "content": content}


def applied(policy: ContentPolicy, name: str, value: Any) -> Any:
    return policy.applied({name: value}).get(name)


def read(policy: ContentPolicy, *parts: dict[str, Any]) -> Any:
    (message,) = json.loads(applied(policy, "gen_ai.input.messages", messages(*parts)))
    assert message["role"] == "user"
    return message["parts"]


def test_full_without_a_mask_gives_the_very_same_attributes() -> None:
    given = {"gen_ai.input.messages": messages(text_part(KEY))}
    assert ContentPolicy(mask=UNMASKED).applied(given) is given


def test_full_leaves_the_text_of_attributes_without_secrets_as_it_is() -> None:
    odd = '[ {"role" : "user","parts":[],"n":1.50} ]'
    assert applied(ContentPolicy(), "gen_ai.input.messages", odd) is odd


def test_truncated_keeps_head_and_tail_and_tells_of_the_rest() -> None:
    text = "a" * 300 + " " + "z" * 300
    (part,) = read(ContentPolicy(TRUNCATED, 200), text_part(text))
    note = f"\n[... 516 of 601 characters left out, sha256:{sha256(text)} ...]\n"
    assert part == text_part("a" * 57 + note + "z" * 28)
    assert len(part["content"]) == 200


def test_truncated_leaves_short_texts_alone() -> None:
    given = {"gen_ai.input.messages": messages(text_part("a" * 150)), "gen_ai.tool.call.result": "plain " * 30}
    assert ContentPolicy(TRUNCATED, 400).applied(given) == given


def test_truncated_cuts_text_that_is_no_json_too() -> None:
    cut = applied(ContentPolicy(TRUNCATED, 250), "gen_ai.tool.call.result", "word " * 100)
    assert len(cut) == 250
    assert f"sha256:{sha256('word ' * 100)}" in cut


def test_truncated_leaves_out_whole_messages_where_there_are_too_many() -> None:
    listed = [{"role": "user", "parts": [text_part(f"message {number} " * 10)]} for number in range(200)]
    text = applied(ContentPolicy(TRUNCATED, 200), "gen_ai.input.messages", json.dumps(listed))
    kept = json.loads(text)
    note = next(message for message in kept if message not in listed)
    position = kept.index(note)
    assert len(text) <= 16 * 200
    assert kept[:position] == listed[:position]
    assert kept[position + 1 :] == listed[position - len(kept) + 1 :]
    assert note["role"] == "system"
    assert f"{200 - len(kept) + 1} of 200 left out" in note["parts"][0]["content"]


def test_truncated_tells_only_of_an_object_that_is_too_large_as_a_whole() -> None:
    text = json.dumps({f"key {number}": "x" * 100 for number in range(1_000)}, separators=(",", ":"))
    assert json.loads(applied(ContentPolicy(TRUNCATED, 200), "gen_ai.tool.call.arguments", text)) == hash_of(text)


def test_hash_keeps_roles_structure_and_names_of_tools() -> None:
    parts = [
        text_part("Weather?"),
        {"type": "tool_call", "id": "call_1", "name": "weather", "arguments": {"city": "Paris", "days": 3, "now": True}},
        {"type": "tool_call_response", "id": "call_1", "response": ["Sunny", None]},
        {"type": "uri", "modality": "image", "mime_type": "image/png", "uri": "https://example.org/x"},
    ]
    assert read(ContentPolicy(HASH), *parts) == [
        text_part(hash_of("Weather?")),
        {
            "type": "tool_call",
            "id": "call_1",
            "name": "weather",
            "arguments": {"city": hash_of("Paris"), "days": hash_of("3"), "now": True},
        },
        {"type": "tool_call_response", "id": "call_1", "response": [hash_of("Sunny"), None]},
        {"type": "uri", "modality": "image", "mime_type": "image/png", "uri": hash_of("https://example.org/x")},
    ]


@pytest.mark.parametrize("as_ascii", [True, False])
def test_half_a_surrogate_pair_passes(as_ascii: bool) -> None:
    text = json.dumps(["\ud83d", "word"], ensure_ascii=as_ascii)
    digest = sha256("\ud83d".encode("utf-8", "replace"))
    made = json.loads(applied(ContentPolicy(HASH), "gen_ai.system_instructions", text))
    assert made == [f"[1 characters, sha256:{digest}]", hash_of("word")]


def test_hash_keeps_no_value_of_a_tool_s_arguments() -> None:
    told = applied(ContentPolicy(HASH), "gen_ai.tool.call.arguments", '{"name":"Ada","id":7,"type":"vip"}')
    assert json.loads(told) == {"name": hash_of("Ada"), "id": hash_of("7"), "type": hash_of("vip")}


def test_hash_is_that_of_the_masked_text() -> None:
    (part,) = read(ContentPolicy(HASH), text_part(f"take {KEY}"))
    assert part["content"] == hash_of("take [masked]")


def test_none_leaves_all_else() -> None:
    given = {"gen_ai.request.model": "gpt-4o", "gen_ai.usage.input_tokens": 7, "exception.message": "bad"}
    content = dict.fromkeys(CONTENT, "text")
    assert NONE.applied({**given, **content}) == given


@pytest.mark.parametrize(
    "name", ["user.id", "session.id", "langfuse.user.id", "gen_ai.request.model", "otel_llm.pipeline.name"]
)
def test_names_and_ids_are_never_changed(name: str) -> None:
    policy = ContentPolicy(HASH, mask=Mask(frozenset({"emails"}), str.upper))
    assert applied(policy, name, "ada@example.org") == "ada@example.org"


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("name", ["otel_llm.metadata.note", "exception.message", "langfuse.observation.status_message", "any"])
def test_other_text_is_masked_in_each_mode(name: str, mode: ContentMode) -> None:
    assert applied(ContentPolicy(mode), name, f"refused: {KEY}") == "refused: [masked]"
    assert applied(ContentPolicy(mode), name, (f"refused: {KEY}", 1)) == ["refused: [masked]", 1]


@pytest.mark.parametrize("mode", [TRUNCATED, HASH])
def test_a_file_is_never_cut_but_told_of(mode: ContentMode) -> None:
    content = base64.b64decode(PICTURE)
    blob = {"type": "blob", "modality": "image", "mime_type": "image/png", "content": PICTURE}
    link = {"type": "image_url", "image_url": {"url": f"data:image/png;base64,{PICTURE}"}}
    told = f"[image/png, 1024 bytes, sha256:{sha256(content)}]"
    assert read(ContentPolicy(mode, 500), blob, link) == [text_part(told), {"type": "image_url", "image_url": {"url": told}}]


def test_a_file_within_the_limit_stays() -> None:
    blob = {"type": "blob", "modality": "image", "mime_type": "image/png", "content": PICTURE}
    assert read(ContentPolicy(TRUNCATED, 2_000), blob, text_part("x" * 3_000))[0] == blob


def test_a_match_within_a_file_is_chance() -> None:
    content = "AKIAABCDEFGHIJKLMNOP" * 20
    blob = {"type": "blob", "modality": "image", "mime_type": "image/png", "content": content}
    assert read(ContentPolicy(mask=Mask(function=str.upper)), blob, text_part("a"))[0] == blob


def test_the_application_s_function_sees_content_and_no_structure() -> None:
    seen: list[str] = []
    policy = ContentPolicy(mask=Mask(function=lambda text: seen.append(text) or "***"))  # type: ignore[func-returns-value]
    call = {"type": "tool_call", "id": "1", "name": "f", "arguments": {"name": "Ada", "days": 3}}
    assert read(policy, call, text_part("Hi")) == [{**call, "arguments": {"name": "***", "days": 3}}, text_part("***")]
    assert seen == ["Ada", "Hi"]


def test_a_mask_that_fails_is_tried_again_at_the_next_span() -> None:
    answers = iter([None, "fine"])
    policy = ContentPolicy(mask=Mask(function=lambda _: next(answers)))  # type: ignore[arg-type,return-value]
    text = json.dumps(["long " * 5_000], separators=(",", ":"))
    assert [applied(policy, "gen_ai.system_instructions", text) for _ in range(2)] == [f'["{FAILED}"]', '["fine"]']


def test_another_function_of_the_process_is_heeded() -> None:
    policy, text = ContentPolicy(), json.dumps(["long " * 5_000], separators=(",", ":"))
    assert applied(policy, "gen_ai.system_instructions", text) == text
    masking.use(lambda _: "short")
    try:
        assert applied(policy, "gen_ai.system_instructions", text) == '["short"]'
    finally:
        masking.use(None)


def test_a_long_prompt_is_read_and_masked_once(monkeypatch: pytest.MonkeyPatch) -> None:
    policy = ContentPolicy()
    system = {"role": "system", "parts": [text_part(f"Be kind. {KEY} " * 1_000)]}

    def asked(word: str) -> str:
        listed = [system, {"role": "user", "parts": [text_part(word)]}]
        return str(applied(policy, "gen_ai.input.messages", json.dumps(listed, separators=(",", ":"))))

    first, masked = asked("why"), []
    monkeypatch.setattr(ContentPolicy, "text", lambda self, text: masked.append(text) or text)
    assert asked("how") == first.replace('"why"', '"how"')
    assert "how" in masked
    assert not any(len(text) > 100 for text in masked)


@pytest.mark.parametrize("limit", [0, 199, -1])
def test_a_limit_below_that_of_the_note_is_refused(limit: int) -> None:
    with pytest.raises(ValueError, match="at least 200"):
        ContentPolicy(TRUNCATED, limit)


TEXTS = st.sampled_from(
    ["", "short", "word " * 60, "x" * 700, PICTURE, f"data:image/png;base64,{PICTURE}", "\ud83d", "é→" * 150]
)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | TEXTS | st.text(max_size=20),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from(["role", "type", "content", "arguments", "parts", "other"]), inner, max_size=3)
    ),
    max_leaves=8,
)
MESSAGES = st.lists(
    st.fixed_dictionaries({"role": st.sampled_from(["user", "tool"]), "parts": st.lists(JSON, max_size=3)}), max_size=3
)
POLICIES = st.builds(ContentPolicy, st.sampled_from([FULL, TRUNCATED, HASH]), st.integers(200, 1_000))
NAMES = st.sampled_from(["gen_ai.input.messages", "gen_ai.system_instructions", "gen_ai.tool.call.arguments", "input.value"])


def outline(value: Any) -> Any:
    """The structure of decoded JSON; all that can become a text is the same."""
    if isinstance(value, dict):
        return {key: outline(item) for key, item in value.items()}
    if isinstance(value, list):
        return [outline(item) for item in value]
    return value if value is None or isinstance(value, bool) else "value"


@given(policy=POLICIES, name=NAMES, value=MESSAGES | JSON, as_ascii=st.booleans())
def test_json_stays_json_of_the_same_structure(policy: ContentPolicy, name: str, value: Any, as_ascii: bool) -> None:
    given = json.dumps(value, ensure_ascii=as_ascii)
    made = applied(policy, name, given)
    if len(made) <= 16 * policy.max_chars and '"blob"' not in given and len(given) <= 16 * policy.max_chars:
        assert outline(json.loads(made)) == outline(value)
    json.loads(made)
    if policy.mode is TRUNCATED:
        assert len(made) <= 16 * policy.max_chars


@given(policy=POLICIES, name=NAMES, value=MESSAGES | JSON | TEXTS)
def test_a_policy_applied_again_changes_nothing(policy: ContentPolicy, name: str, value: Any) -> None:
    once = policy.applied({name: json.dumps(value)})
    assert policy.applied(once) == once


@given(
    policy=POLICIES,
    example=st.sampled_from([example for row in SECRETS for example in row.examples if "://" not in example]),
    around=st.sampled_from(["", "word " * 100, "line\n" * 60, "a\\nb " * 50, "=" * 300]),
    name=NAMES,
    place=st.sampled_from(["text", "arguments", "nested", "key", "plain", "cut JSON"]),
)
def test_no_secret_survives(policy: ContentPolicy, example: str, around: str, name: str, place: str) -> None:
    text = f"{around} {example}\n{around}"
    arguments = {"a": [{"b": text}]}
    part: Any = {
        "text": text_part(text),
        "arguments": {"type": "tool_call", "name": "f", "arguments": arguments},
        "nested": {"type": "tool_call", "name": "f", "arguments": json.dumps({"a": json.dumps(arguments)})},
        "key": {"type": "tool_call", "name": "f", "arguments": {text: 1}},
    }.get(place, text_part(text))
    given = text if place == "plain" else messages(part)
    made = applied(policy, name, given[:-3] if place == "cut JSON" else given)
    secret = example.split("\n")[1] if "\n" in example else example.split(" ")[-1]
    assert secret not in made
    assert json.dumps(secret)[1:-1] not in made


def span(**more: Any) -> ReadableSpan:
    return ReadableSpan(name="chat", attributes={"gen_ai.input.messages": messages(text_part(KEY))}, **more)


def test_events_and_status_are_masked_and_the_span_itself_stays() -> None:
    exception = Event("exception", {"exception.message": f"refused {KEY}"}, 1)
    given = span(events=[exception], status=Status(StatusCode.ERROR, f"refused {KEY}"))
    before = given.to_json()
    made = told(given, ContentPolicy())
    assert KEY not in made.to_json()
    assert (made.status.description, made.events[0].attributes) == (
        "refused [masked]",
        {"exception.message": "refused [masked]"},
    )
    assert made.events[0].timestamp == 1
    assert given.to_json() == before


def test_events_with_content_are_left_out_where_none_is_wanted() -> None:
    events = [Event("gen_ai.user.message", {"content": "Weather?"}), Event("gen_ai.evaluation.result", {"score": 1.0})]
    assert [event.name for event in told(span(events=events), NONE).events] == ["gen_ai.evaluation.result"]


def test_attributes_can_be_left_to_another_step() -> None:
    given = span(status=Status(StatusCode.ERROR, KEY))
    made = told_around_attributes(given, NONE)
    assert (made.attributes, made.status.description) == (given.attributes, "[masked]")
    assert told_around_attributes(span(), NONE).attributes == given.attributes


def test_a_policy_that_changes_nothing_copies_nothing() -> None:
    given = span(status=Status(StatusCode.ERROR, KEY))
    policy = ContentPolicy(mask=UNMASKED)
    assert told(given, policy) is given
    assert told_around_attributes(given, policy) is given


def test_the_default_takes_out_secrets_and_nothing_else() -> None:
    assert ContentPolicy(FULL, 8_000, Mask(frozenset({"secrets"}))) == content_policy.FULL
