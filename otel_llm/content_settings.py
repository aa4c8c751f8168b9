"""Settings of content that all destinations share, from the environment."""

from __future__ import annotations

from typing import Annotated, Any, Final

from pydantic import BeforeValidator, Field
from pydantic_settings import BaseSettings, NoDecode

from otel_llm.content_forms import SHORTEST
from otel_llm.content_policy import MAX_CHARS, ContentMode, ContentPolicy
from otel_llm.mask_patterns import Kind
from otel_llm.masking import Mask, MaskFunction

MASK_VARIABLE: Final = "OTEL_LLM_MASK"
MAX_CHARS_VARIABLE: Final = "OTEL_LLM_CONTENT_MAX_CHARS"
_KINDS: Final = frozenset({"secrets", "cards", "emails"})


def _kinds(value: Any) -> Any:
    if not isinstance(value, str):
        return value
    words = frozenset(word.strip().lower() for word in value.split(",") if word.strip())
    if words == {"none"}:
        return frozenset()
    if not words or not words <= _KINDS:
        raise ValueError("must be none, or some of secrets, cards and emails with commas between them")
    return words


def _mode(value: Any) -> Any:
    return value.strip().lower() if isinstance(value, str) else value


#: In any case, as environment variables are written by hand.
Mode = Annotated[ContentMode, BeforeValidator(_mode)]


class ContentSettings(BaseSettings):
    """What is masked, and how long a text may be where texts are truncated."""

    mask: Annotated[frozenset[Kind], NoDecode, BeforeValidator(_kinds), Field(validation_alias=MASK_VARIABLE)] = frozenset(
        {"secrets"}
    )
    content_max_chars: Annotated[int, Field(validation_alias=MAX_CHARS_VARIABLE, ge=SHORTEST)] = MAX_CHARS

    def policy(self, mode: ContentMode, function: MaskFunction | None = None) -> ContentPolicy:
        """The policy of a destination; ``function`` is one of its own that masks texts."""
        return ContentPolicy(mode, self.content_max_chars, Mask(self.mask, function))
