"""Which attributes are content, which are names and ids, and which are free text that is neither."""

from __future__ import annotations

import functools
import re
from enum import Enum
from typing import Final

from otel_llm import semconv as sc


class Role(Enum):
    """What an attribute is to a content policy."""

    #: An id, a name or one of a few words: never changed.
    NAME = "name"
    #: Messages, instructions or tools: content of a known structure.
    MESSAGES = "messages"
    #: Content of any structure, or none.
    DATA = "data"
    #: Free text that is no content, or a number: masked, and otherwise as it is.
    OTHER = "other"


_MESSAGES: Final = frozenset(
    {
        sc.SYSTEM_INSTRUCTIONS,
        sc.INPUT_MESSAGES,
        sc.OUTPUT_MESSAGES,
        sc.TOOL_DEFINITIONS,
        # Attributes of message events.
        "content",
        "message",
        "tool_calls",
        "gen_ai.event.content",
    }
)
_DATA: Final = frozenset(
    {
        sc.TOOL_CALL_ARGUMENTS,
        sc.TOOL_CALL_RESULT,
        sc.RETRIEVAL_QUERY,
        sc.RETRIEVAL_DOCUMENTS,
        sc.MEMORY_QUERY,
        sc.MEMORY_RECORDS,
        sc.INPUT_VALUE,
        sc.OUTPUT_VALUE,
        "langfuse.observation.input",
        "langfuse.observation.output",
        "langfuse.trace.input",
        "langfuse.trace.output",
        # OpenLLMetry, and below OpenInference, as far as no dialect has told them in the conventions' names.
        "traceloop.entity.input",
        "traceloop.entity.output",
    }
)
_DATA_FAMILIES: Final = re.compile(
    r"(?:gen_ai\.(?:prompt|completion)|llm\.(?:input_messages|output_messages|prompts|completions|tools)"
    r"|retrieval\.documents|reranker\.(?:query|input_documents|output_documents)|embedding\.(?:text|embeddings))(?:\.\d.*)?"
)
_NAMES: Final = frozenset(
    {
        sc.OPERATION_NAME,
        sc.PROVIDER_NAME,
        sc.SYSTEM_OLD,
        sc.AGENT_NAME,
        sc.WORKFLOW_NAME,
        sc.TOOL_NAME,
        sc.TOOL_CALL_ID,
        sc.CONVERSATION_ID,
        sc.OUTPUT_TYPE,
        sc.PROMPT_NAME,
        sc.REQUEST_MODEL,
        sc.REQUEST_REASONING_LEVEL,
        sc.REQUEST_PREVIOUS_RESPONSE_ID,
        sc.RESPONSE_ID,
        sc.RESPONSE_MODEL,
        sc.RESPONSE_FINISH_REASONS,
        sc.RESPONSE_STATUS,
        sc.OPENAI_API_TYPE,
        sc.OPENAI_REQUEST_SERVICE_TIER,
        sc.OPENAI_RESPONSE_SERVICE_TIER,
        sc.OPENAI_SYSTEM_FINGERPRINT,
        sc.ERROR_TYPE,
        sc.SERVER_ADDRESS,
        sc.USER_ID,
        sc.SESSION_ID,
        "langfuse.user.id",
        "langfuse.session.id",
        "langfuse.trace.name",
        "langfuse.observation.type",
        "langfuse.observation.level",
        "langfuse.observation.model.name",
        "langfuse.observation.prompt.name",
        "langfuse.environment",
        "langfuse.release",
        "langfuse.version",
        # Attributes of message events.
        "role",
        "id",
        "index",
        "finish_reason",
    }
)
#: Under this prefix only these and metadata are free text.
_OURS: Final = "otel_llm."
_OUR_TEXTS: Final = frozenset({sc.TAGS, sc.HEARTBEAT_STATUS})


@functools.lru_cache(maxsize=2_048)
def role_of(name: str) -> Role:
    """What the attribute ``name`` is."""
    if name in _NAMES or (name.startswith(_OURS) and name not in _OUR_TEXTS and not name.startswith(sc.METADATA_PREFIX)):
        return Role.NAME
    if name in _MESSAGES:
        return Role.MESSAGES
    return Role.DATA if name in _DATA or _DATA_FAMILIES.fullmatch(name) else Role.OTHER
