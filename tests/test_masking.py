"""What is masked, that it is masked wherever it stands, and that a mask that fails lets nothing pass."""

from __future__ import annotations

import json
import logging
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from otel_llm import masking
from otel_llm.mask_patterns import ROWS, has_luhn
from otel_llm.masking import FAILED, Mask

ALL = Mask(frozenset({"secrets", "cards", "emails"}))
EXAMPLES = [(row, example) for row in ROWS for example in row.examples]
#: What may stand directly before and after a secret, also within JSON in a text.
AROUND = ["", " ", "\n", '"', "'", "`", "=", ": ", "(", "<", "\\n", "\\t", '\\"', "→", "\\u00e9"]


@pytest.fixture(autouse=True)
def _no_function() -> Iterator[None]:
    yield
    masking.use(None)


def secret_part(example: str) -> str:
    """The part of an example that nobody may see: what surrounds the password of a URL, say, may stay."""
    return example.split("://")[1].split("@")[0] if "://" in example else example.split(" ", 1)[-1].rsplit(":", 1)[-1]


@pytest.mark.parametrize(("row", "example"), EXAMPLES, ids=[f"{row.name}-{number}" for number, (row, _) in enumerate(EXAMPLES)])
@pytest.mark.parametrize("before", AROUND)
def test_each_example_is_masked_wherever_it_stands(row: Any, example: str, before: str) -> None:
    for after in (" ", "\n", '"', ")", "", "\\n"):
        text = f"Take this: {before}{example}{after}"
        masked = Mask(frozenset({row.kind}))(text)
        assert secret_part(example) not in masked
        assert "[masked" in masked
        assert masked.endswith(after)


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.name)
def test_each_row_alone_finds_its_examples(row: Any) -> None:
    for example in row.examples:
        assert row.literal in example
        assert row.pattern.search(example)
        assert not row.luhn or has_luhn(row.pattern.search(example).group())
        assert not row.pattern.search(row.replacement)


@pytest.mark.parametrize(
    "text",
    [
        "the task-force-of-the-whole-department asks",
        "risk-assessment-for-the-next-quarter",
        "https://example.com:8080/path?mail=a@b.example",
        "http://localhost:3000, mail ada@example.org",
        "bearer of good news; Bearer authentication",
        "npm_config_registry and hf_hub_download",
        "pk-lf-01234567-89ab-cdef-0123-456789abcdef",
        "4111 1111 1111 1111, ada@example.org",
        "eyJ is how it begins",
        "-----BEGIN PUBLIC KEY-----\nQUJD\n-----END PUBLIC KEY-----",
    ],
)
def test_what_is_no_secret_stays(text: str) -> None:
    assert Mask()(text) == text


@pytest.mark.parametrize("text", ["4111 1111 1111 1112", "1790000000000000000", "1234567890123456", "41111111111111111"])
def test_digits_of_no_card_stay(text: str) -> None:
    assert Mask(frozenset({"cards"}))(text) == text


def test_what_stands_around_tells_what_it_was() -> None:
    text = "Bearer abcdefghijklmnopqrstuvwx to postgresql://ada:lovelace@db.example/x, 4111111111111111 of ada@example.org"
    assert ALL(text) == "Bearer [masked] to postgresql://[masked]@db.example/x, [masked card] of [masked email]"


def test_neighbours_do_not_hide_each_other() -> None:
    assert Mask()("AKIAABCDEFGHIJKLMNOPsk-abcdefghijklmnopqrstuvwx") == "[masked][masked]"


PIECES = st.lists(
    st.sampled_from([example for _, example in EXAMPLES])
    | st.sampled_from([*AROUND, "@", ":", "://", "sk-", "]"])
    | st.text(max_size=8)
)


@given(pieces=PIECES)
def test_masking_again_changes_nothing(pieces: list[str]) -> None:
    masked = ALL("".join(pieces))
    assert ALL(masked) == masked


@given(pieces=PIECES)
def test_what_changes_within_json_is_foreseen(pieces: list[str]) -> None:
    text = "".join(pieces)
    for escaped in (True, False):
        assert ALL(text) == text or ALL.may_change(json.dumps(text, ensure_ascii=escaped))


@pytest.mark.parametrize("escaped", ['"sk\\u002dabcdefghijklmnopqrstuvwx"', '"redis:\\/\\/:abcdefgh@cache.example"'])
def test_an_escape_hides_no_secret_in_json(escaped: str) -> None:
    assert Mask()(escaped) == escaped
    assert Mask().may_change(escaped)
    assert Mask()(json.loads(escaped)) != json.loads(escaped)


def test_nothing_is_masked_without_kinds_and_function() -> None:
    assert not Mask(frozenset()).active
    assert Mask(frozenset())(EXAMPLES[0][1]) == EXAMPLES[0][1]


def test_a_long_text_is_searched_once(monkeypatch: pytest.MonkeyPatch) -> None:
    mask, text = Mask(), "You are kind. " * 2_000 + EXAMPLES[0][1]
    first = mask(text)
    monkeypatch.setattr(masking, "_masked", lambda *_: pytest.fail("searched again"))
    assert mask("".join(text)) == first


def test_the_function_of_the_process_is_applied_after_the_patterns() -> None:
    seen: list[str] = []
    masking.use(lambda text: seen.append(text) or text.replace("Ada", "A."))  # type: ignore[func-returns-value]
    assert Mask()(f"Ada has {EXAMPLES[0][1]}") == "A. has [masked]"
    assert seen == ["Ada has [masked]"]


def test_a_function_of_its_own_takes_the_place_of_the_process_s() -> None:
    masking.use(str.upper)
    assert Mask(function=str.title)("ada lovelace") == "Ada Lovelace"


def _raise(text: str) -> str:
    raise RuntimeError(f"cannot read {text}")


@pytest.mark.parametrize("function", [_raise, lambda _: None, lambda text: text.encode()])
def test_a_function_that_fails_lets_nothing_pass(
    function: Any, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(masking, "_process", masking._Process())
    with caplog.at_level(logging.DEBUG):
        assert [Mask(function=function)(f"the secret {number}") for number in range(3)] == [FAILED] * 3
    assert masking.failures() == 3
    assert len(caplog.records) == 1
    assert "secret" not in caplog.text
