"""Attribute names: the GenAI semantic conventions, pinned, and the few of ours beside them.

The conventions are those of ``open-telemetry/semantic-conventions-genai`` at commit ``e07f4eba`` (2026-10-02). They have no tagged
release and are all in development, so the names are kept here rather than imported.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

# --- GenAI: what was called -------------------------------------------------------------------------------------------
OPERATION_NAME: Final = "gen_ai.operation.name"
PROVIDER_NAME: Final = "gen_ai.provider.name"
SYSTEM_OLD: Final = "gen_ai.system"
AGENT_NAME: Final = "gen_ai.agent.name"
AGENT_DESCRIPTION: Final = "gen_ai.agent.description"
WORKFLOW_NAME: Final = "gen_ai.workflow.name"
TOOL_NAME: Final = "gen_ai.tool.name"
TOOL_DESCRIPTION: Final = "gen_ai.tool.description"
TOOL_TYPE: Final = "gen_ai.tool.type"
TOOL_CALL_ID: Final = "gen_ai.tool.call.id"
TOOL_CALL_ARGUMENTS: Final = "gen_ai.tool.call.arguments"
TOOL_CALL_RESULT: Final = "gen_ai.tool.call.result"
CONVERSATION_ID: Final = "gen_ai.conversation.id"
CONVERSATION_COMPACTED: Final = "gen_ai.conversation.compacted"
OUTPUT_TYPE: Final = "gen_ai.output.type"
PROMPT_NAME: Final = "gen_ai.prompt.name"
PROMPT_VERSION: Final = "gen_ai.prompt.version"

# --- GenAI: request ---------------------------------------------------------------------------------------------------
REQUEST_PREFIX: Final = "gen_ai.request."
REQUEST_MODEL: Final = "gen_ai.request.model"
REQUEST_STREAM: Final = "gen_ai.request.stream"
REQUEST_MAX_TOKENS: Final = "gen_ai.request.max_tokens"
REQUEST_TEMPERATURE: Final = "gen_ai.request.temperature"
REQUEST_TOP_P: Final = "gen_ai.request.top_p"
REQUEST_TOP_K: Final = "gen_ai.request.top_k"
REQUEST_FREQUENCY_PENALTY: Final = "gen_ai.request.frequency_penalty"
REQUEST_PRESENCE_PENALTY: Final = "gen_ai.request.presence_penalty"
REQUEST_STOP_SEQUENCES: Final = "gen_ai.request.stop_sequences"
REQUEST_SEED: Final = "gen_ai.request.seed"
REQUEST_CHOICE_COUNT: Final = "gen_ai.request.choice.count"
REQUEST_REASONING_LEVEL: Final = "gen_ai.request.reasoning.level"
REQUEST_PREVIOUS_RESPONSE_ID: Final = "gen_ai.request.previous_response.id"
REQUEST_ENCODING_FORMATS: Final = "gen_ai.request.encoding_formats"
EMBEDDINGS_DIMENSION_COUNT: Final = "gen_ai.embeddings.dimension.count"

# --- GenAI: response and usage ----------------------------------------------------------------------------------------
RESPONSE_ID: Final = "gen_ai.response.id"
RESPONSE_MODEL: Final = "gen_ai.response.model"
RESPONSE_FINISH_REASONS: Final = "gen_ai.response.finish_reasons"
#: Of a response that is fetched: queued, in_progress, completed, incomplete, failed, cancelled.
RESPONSE_STATUS: Final = "gen_ai.response.status"
RESPONSE_TIME_TO_FIRST_CHUNK: Final = "gen_ai.response.time_to_first_chunk"
USAGE_INPUT_TOKENS: Final = "gen_ai.usage.input_tokens"
USAGE_OUTPUT_TOKENS: Final = "gen_ai.usage.output_tokens"
USAGE_CACHE_READ: Final = "gen_ai.usage.cache_read.input_tokens"
USAGE_CACHE_WRITE: Final = "gen_ai.usage.cache_write.input_tokens"
USAGE_CACHE_WRITE_OLD: Final = "gen_ai.usage.cache_creation.input_tokens"
USAGE_REASONING: Final = "gen_ai.usage.reasoning.output_tokens"
#: Not in the conventions; the name in common use, a double in USD, set only when the provider itself reported a cost.
USAGE_COST: Final = "gen_ai.usage.cost"

OPENAI_API_TYPE: Final = "openai.api.type"
OPENAI_REQUEST_SERVICE_TIER: Final = "openai.request.service_tier"
OPENAI_RESPONSE_SERVICE_TIER: Final = "openai.response.service_tier"
OPENAI_SYSTEM_FINGERPRINT: Final = "openai.response.system_fingerprint"

# --- GenAI: content (JSON strings on spans) -----------------------------------------------------------------------------
SYSTEM_INSTRUCTIONS: Final = "gen_ai.system_instructions"
INPUT_MESSAGES: Final = "gen_ai.input.messages"
OUTPUT_MESSAGES: Final = "gen_ai.output.messages"
TOOL_DEFINITIONS: Final = "gen_ai.tool.definitions"
RETRIEVAL_QUERY: Final = "gen_ai.retrieval.query.text"
RETRIEVAL_DOCUMENTS: Final = "gen_ai.retrieval.documents"
MEMORY_QUERY: Final = "gen_ai.memory.query.text"
MEMORY_RECORDS: Final = "gen_ai.memory.records"
#: Not in the conventions; the names in common use for what a step that is no call of a model was given and gave.
INPUT_VALUE: Final = "input.value"
OUTPUT_VALUE: Final = "output.value"

# --- general conventions ----------------------------------------------------------------------------------------------
ERROR_TYPE: Final = "error.type"
#: Value of ``error.type`` for an error without a type.
OTHER: Final = "_OTHER"
SERVER_ADDRESS: Final = "server.address"
SERVER_PORT: Final = "server.port"
HTTP_STATUS_CODE: Final = "http.response.status_code"
HTTP_RESEND_COUNT: Final = "http.request.resend_count"
USER_ID: Final = "user.id"
SESSION_ID: Final = "session.id"

# --- ours: who a span belongs to, stamped by the span processor -------------------------------------------------------
#: String array.
TAGS: Final = "otel_llm.tags"
#: One string attribute per key of ``identify(metadata=...)``.
METADATA_PREFIX: Final = "otel_llm.metadata."
#: Key of the Langfuse project that a span is meant for, where a process sends to several; on spans or on the resource.
PROJECT: Final = "otel_llm.project"
#: Name of the pipeline (the outermost workflow or agent) that a span belongs to.
PIPELINE_NAME: Final = "otel_llm.pipeline.name"
#: Span id (16 hex digits) of that pipeline's root span; on the root span itself its own id.
PIPELINE_ID: Final = "otel_llm.pipeline.span_id"
#: True if that pipeline is the first one of its trace; a later one in the same trace has False.
PIPELINE_PRIMARY: Final = "otel_llm.pipeline.primary"
#: Name of the trace's first pipeline, on spans of the same trace that do not belong to it: those above, and topmost GenAI spans.
TRACE_NAME: Final = "otel_llm.trace.name"
#: Span id (16 hex digits) of the nearest GenAI ancestor; empty string: there is none in this process. Set where the direct parent is
#: a span that destinations do not receive (an HTTP server span, say), or in another process that said what is above.
ANCESTOR_ID: Final = "otel_llm.ancestor.span_id"

#: Span id (16 hex digits) of the span of another library that tells of the same call; such a span is left out by destinations.
TOLD_BY: Final = "otel_llm.told_by.span_id"

# --- ours: facts of a call that the conventions have no name for ------------------------------------------------------
#: Parts of ``gen_ai.usage.cache_write.input_tokens`` by lifetime (Anthropic), which are priced differently.
CACHE_WRITE_5M: Final = "otel_llm.cache_write_5m.input_tokens"
CACHE_WRITE_1H: Final = "otel_llm.cache_write_1h.input_tokens"
#: Service tier that was used, where the provider is not OpenAI.
RESPONSE_SERVICE_TIER: Final = "otel_llm.response.service_tier"
#: Who ran the model behind a router (OpenRouter's ``provider`` field).
UPSTREAM_PROVIDER: Final = "otel_llm.upstream.provider"
#: True for a response that was asked for in the background: its answer is fetched later.
REQUEST_BACKGROUND: Final = "otel_llm.request.background"
#: How a call ended, if not regularly: ``abandoned`` (its stream was dropped), ``truncated`` (cut before its end), ``cancelled``.
ENDING: Final = "otel_llm.ending"

#: Why a call did not end well, in one word for all providers: rate_limit, quota, timeout, auth, permission, not_found,
#: invalid_request, context_length, content_filter, overloaded, server, network, cancelled, abandoned (which is no error).
ERROR_CATEGORY: Final = "otel_llm.error.category"
#: Values of :data:`ENDING`.
ABANDONED: Final = "abandoned"
TRUNCATED: Final = "truncated"
CANCELLED: Final = "cancelled"

#: Name of the span event of :func:`otel_llm.heartbeat`, and its attributes: how many so far, seconds since the block began, and what
#: the work says of itself.
HEARTBEAT: Final = "otel_llm.heartbeat"
HEARTBEAT_COUNT: Final = "otel_llm.heartbeat.count"
HEARTBEAT_ELAPSED: Final = "otel_llm.heartbeat.elapsed_s"
HEARTBEAT_STATUS: Final = "otel_llm.heartbeat.status"

#: Whether the tokens of an ``invoke_agent`` span are told by no span below it, so that they count. Where it is not said, they do if
#: the agent runs elsewhere: a span of kind CLIENT with ``server.address``, as the conventions have it for remote agents.
OPAQUE: Final = "otel_llm.opaque"

#: Who decided on the model: ``default`` (the code), ``override`` (an admin), ``fallback`` (the code, since the admin's choice
#: failed) or ``argument`` (the call itself).
MODEL_SOURCE: Final = "otel_llm.model.source"
#: What the code says, as ``provider:model``.
MODEL_DEFAULT: Final = "otel_llm.model.default"
#: Who set the override.
MODEL_SET_BY: Final = "otel_llm.model.set_by"
#: The override that failed, as ``provider:model``.
MODEL_FALLBACK_FROM: Final = "otel_llm.model.fallback_from"

#: On the workflow span of a swarm: its models as ``provider:model``; for each of them the number of its vote, from 1 on and the same
#: where the answers were, or the category of its error; how many had to answer; and the model whose answer was taken.
SWARM_MODELS: Final = "otel_llm.swarm.models"
SWARM_VOTES: Final = "otel_llm.swarm.votes"
SWARM_QUORUM: Final = "otel_llm.swarm.quorum"
SWARM_WINNER: Final = "otel_llm.swarm.winner"

CHAT: Final = "chat"
TEXT_COMPLETION: Final = "text_completion"
GENERATE_CONTENT: Final = "generate_content"
EMBEDDINGS: Final = "embeddings"
FETCH_RESPONSE: Final = "fetch_response"
RETRIEVAL: Final = "retrieval"
RERANK: Final = "rerank"
CREATE_AGENT: Final = "create_agent"
INVOKE_AGENT: Final = "invoke_agent"
INVOKE_WORKFLOW: Final = "invoke_workflow"
EXECUTE_TOOL: Final = "execute_tool"
#: Not in the conventions; the word in common use for a step that is neither agent, workflow nor tool.
TASK: Final = "task"

#: Operations whose spans carry tokens of one model call.
INFERENCE_OPERATIONS: Final = frozenset({CHAT, TEXT_COMPLETION, GENERATE_CONTENT})

#: What the spans of any emitter have, most of them from their start on. What is stamped on all spans of a trace (agent, user,
#: session, the workflow of OpenLLMetry) is no mark.
_GENAI_MARKS: Final = frozenset(
    {
        OPERATION_NAME,
        PROVIDER_NAME,
        SYSTEM_OLD,
        REQUEST_MODEL,
        RESPONSE_MODEL,
        TOOL_NAME,
        "langfuse.observation.type",
        "openinference.span.kind",
        "traceloop.span.kind",
        "llm.request.type",
        "ai.operationId",
    }
)


def is_genai(attributes: Mapping[str, object]) -> bool:
    """Whether a span with these attributes is a GenAI span, by the conventions of any of the common emitters."""
    return not _GENAI_MARKS.isdisjoint(attributes)
