"""The cases that each SDK is put through, and what is sent in them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

from otel_llm.protocols.facts import Usage
from otel_llm.testing.provider import FakeProvider, Reply, ToolCall

PROMPT = "What is the weather in Oslo?"
TEXT = "It is raining in Oslo."
TOOL = "get_weather"
ARGUMENTS = {"city": "Oslo"}
SCHEMA: dict[str, Any] = {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]}
MESSAGES = [{"role": "user", "content": PROMPT}]
#: The tool as OpenAI and most others take it.
FUNCTION: dict[str, Any] = {
    "type": "function",
    "function": {"name": TOOL, "description": "Weather of a city", "parameters": SCHEMA},
}

_USAGE = Usage(input_tokens=40, output_tokens=12, cache_read=16)
_ANSWER = Reply(text=TEXT, usage=_USAGE)
_CALL = Reply(tool_calls=[ToolCall(TOOL, ARGUMENTS, id="call_0001")], usage=_USAGE)
_LIMITED = Reply(status=429)
_HALF = Reply(text=TEXT, error="It broke.")
_BROKEN = Reply(status=500, headers={"retry-after-ms": "1"})


@dataclass(frozen=True, slots=True)
class Case:
    """One call by a method of a caller, and the replies that it gets, an exchange each."""

    name: str
    method: str
    replies: tuple[Reply, ...] = (_ANSWER,)
    #: How often the SDK is told to try again.
    retries: int = 0
    #: The client has been made before otel-llm was switched on.
    before: bool = False
    #: The caller must see an exception; None: may see one.
    fails: bool | None = False


#: Every SDK's.
COMMON = (
    Case("plain", "plain"),
    Case("streamed", "streamed"),
    Case("tools", "tools", (_CALL,)),
    Case("error", "plain", (_LIMITED,), fails=True),
    Case("error in stream", "streamed", (_HALF,), fails=None),
    Case("retry", "plain", (_BROKEN, _ANSWER), retries=1),
    Case("client from before", "plain", before=True),
)


def with_tool_call(name: str, method: str) -> Case:
    """A further case that is answered with a tool call."""
    return Case(name, method, (_CALL,))


class Caller:
    """Calls one SDK. Each method returns the text that the SDK gave, or the name of the tool it wants to be called.

    A case is called by the method it names, and by the one with ``_async`` after it; what is not there does not apply.
    """

    #: Beside the common cases.
    further: ClassVar[tuple[Case, ...]] = ()
    #: The provider that otel-llm is told of for the fake vendor's host, where it knows an API by the host alone.
    provider: ClassVar[str | None] = None
    #: The SDK can be told to try again.
    tries_again: ClassVar[bool] = True

    def client(self, fake: FakeProvider, retries: int) -> Any:
        """A client for the fake vendor."""
        raise NotImplementedError

    def async_client(self, fake: FakeProvider, retries: int) -> Any:
        """The same for asyncio."""
        return self.client(fake, retries)
