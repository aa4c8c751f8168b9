"""What is remembered of long prompts changes nothing of what is made of them."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from otel_llm.content_json import NOTHING, parsed
from otel_llm.recent import Recent, RecentLists

PLAYBOOK = 'You are "a" helpful\nassistant → é. ' * 800


def shouted(elements: list[Any]) -> str | None:
    return None if "silence" in elements else ",".join(json.dumps(element).upper() for element in elements)


def lists() -> RecentLists:
    return RecentLists(lambda text: None if (read := parsed(text)) is NOTHING else read, shouted)


ELEMENTS = st.lists(st.sampled_from([PLAYBOOK, [PLAYBOOK, 1], "short", "silence", 1.0, None]), max_size=4)
TEXTS = st.builds(
    lambda elements, separators, end: (
        json.dumps(elements, separators=separators, ensure_ascii=False)[: -len(end) or None] + end
    ),
    ELEMENTS,
    st.sampled_from([(",", ":"), (", ", ": ")]),
    st.sampled_from(["", " ", "]", ",]", "{}"]),
)


@given(texts=st.lists(TEXTS, max_size=6))
def test_a_list_is_made_the_same_whatever_came_before(texts: list[str]) -> None:
    with_memory = lists()
    for text in texts:
        assert with_memory.made_of(text) == lists().made_of(text)


def test_a_long_first_element_is_read_once() -> None:
    read: list[str] = []
    several = RecentLists(lambda text: read.append(text) or json.loads(text), shouted)  # type: ignore[func-returns-value]
    for word in ("why", "how"):
        several.made_of(json.dumps([PLAYBOOK, word], separators=(",", ":"), ensure_ascii=False))
    assert read[1:] == ['["how"]']


@pytest.mark.parametrize("text", ["{}", '"text"', "no JSON", '["silence"]'])
def test_nothing_is_made_of_what_is_no_list_that_can_be_read(text: str) -> None:
    assert lists().made_of(text) is None


def test_only_the_last_few_are_kept() -> None:
    recent: Recent[str, str] = Recent()
    for number in range(10):
        recent.remember(f"text {number}", f"made {number}")
    assert recent.all_made() == ["made 9", "made 8", "made 7", "made 6"]
