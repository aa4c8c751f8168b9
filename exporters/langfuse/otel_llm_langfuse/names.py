"""Attribute names that Langfuse reads, as of server 4.16."""

from __future__ import annotations

from typing import Final

PREFIX: Final = "langfuse."

TYPE: Final = "langfuse.observation.type"
INPUT: Final = "langfuse.observation.input"
OUTPUT: Final = "langfuse.observation.output"
LEVEL: Final = "langfuse.observation.level"
STATUS_MESSAGE: Final = "langfuse.observation.status_message"
MODEL: Final = "langfuse.observation.model.name"
MODEL_PARAMETERS: Final = "langfuse.observation.model.parameters"
USAGE_DETAILS: Final = "langfuse.observation.usage_details"
COST_DETAILS: Final = "langfuse.observation.cost_details"
COMPLETION_START_TIME: Final = "langfuse.observation.completion_start_time"
PROMPT_NAME: Final = "langfuse.observation.prompt.name"
PROMPT_VERSION: Final = "langfuse.observation.prompt.version"
#: Followed by a key; the value is stored as text.
METADATA_PREFIX: Final = "langfuse.observation.metadata."

USER_ID: Final = "langfuse.user.id"
SESSION_ID: Final = "langfuse.session.id"
TRACE_NAME: Final = "langfuse.trace.name"
TRACE_TAGS: Final = "langfuse.trace.tags"
TRACE_TAGS_OLD: Final = "langfuse.tags"
TRACE_METADATA_PREFIX: Final = "langfuse.trace.metadata."
ENVIRONMENT: Final = "langfuse.environment"
RELEASE: Final = "langfuse.release"
VERSION: Final = "langfuse.version"

#: Names the trace although the parent is not exported (events table).
IS_APP_ROOT: Final = "langfuse.internal.is_app_root"
#: The same for the older trace table.
AS_ROOT: Final = "langfuse.internal.as_root"

#: Scope of the spans that Langfuse's own SDK makes, and the scope attribute that names their project's key.
SDK_SCOPE: Final = "langfuse-sdk"
SDK_SCOPE_PUBLIC_KEY: Final = "public_key"
