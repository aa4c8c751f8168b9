"""Whom the demonstration's agents call: loopback stand-ins of four vendors, or OpenRouter with a key of the user's."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass

from otel_llm.protocols import Usage
from otel_llm.testing.provider import Exchange, FakeProvider, Reply

OPENROUTER_KEY = "OPENROUTER_API_KEY"


@dataclass(frozen=True, slots=True)
class Vendor:
    """Where a client library finds a vendor, with which key, and what the model is called there."""

    base_url: str
    api_key: str
    model: str


@dataclass(frozen=True, slots=True)
class Vendors:
    """The vendors of the demonstration's agents, and the hosts by which the recording names them."""

    strategist: Vendor
    trainer: Vendor
    extraction: Vendor
    memory: Vendor
    embedded: bool
    hosts: Mapping[str, str]


@contextmanager
def vendors(environment: Mapping[str, str]) -> Iterator[Vendors]:
    """The real OpenRouter if the environment has its key, else stand-ins that live as long as the block."""
    key = environment.get(OPENROUTER_KEY)
    if key:
        yield _openrouter(key)
        return
    with ExitStack() as stack:
        yield _stand_ins(stack)


def _openrouter(key: str) -> Vendors:
    api = "https://openrouter.ai/api/v1"
    return Vendors(
        strategist=Vendor(api, key, "anthropic/claude-sonnet-4.5"),
        trainer=Vendor("https://openrouter.ai/api", key, "anthropic/claude-haiku-4.5"),
        extraction=Vendor(api, key, "openai/gpt-4o-mini"),
        memory=Vendor(api, key, "deepseek/deepseek-chat"),
        embedded=False,
        hosts={},
    )


def _stand_ins(stack: ExitStack) -> Vendors:
    def serve(vendor: str) -> FakeProvider:
        return stack.enter_context(FakeProvider(vendor=vendor, default=_answer, pause_s=0.02))

    openrouter, anthropic, openai, deepseek = (serve(name) for name in ("openrouter", "anthropic", "openai", "deepseek"))
    # The extraction agent is throttled once; its SDK tries again.
    openai.reply(Reply(status=429, error="Rate limit reached for gpt-4o-mini", headers={"retry-after-ms": "20"}))
    servers = {"openrouter": openrouter, "anthropic": anthropic, "openai": openai, "deepseek": deepseek}
    return Vendors(
        strategist=Vendor(openrouter.openrouter, "sk-or-demo", "anthropic/claude-sonnet-4.5"),
        trainer=Vendor(anthropic.anthropic, "sk-ant-demo", "claude-haiku-4-5"),
        extraction=Vendor(openai.openai, "sk-demo", "gpt-4o-mini"),
        memory=Vendor(deepseek.deepseek, "sk-demo", "deepseek-chat"),
        embedded=True,
        hosts={f"127.0.0.1:{server.port}": name for name, server in servers.items()},
    )


_WORDS = {
    "openrouter": Reply(
        text="Ask what slowed their last roll-out, name the two teams like theirs, and offer the pilot before the discount.",
        usage=Usage(input_tokens=70_412, output_tokens=31, cache_read=69_120, cost=0.025_08),
        stream_pieces=12,
    ),
    "anthropic": Reply(
        text="Good: you led with the question. Next time wait for the answer before you offer the pilot.",
        usage=Usage(input_tokens=2_310, output_tokens=24, cache_read=1_800, cache_write=400, cache_write_5m=400),
    ),
    "openai": Reply(
        text='{"team_size": 40, "objection": "roll-out took too long"}', usage=Usage(input_tokens=412, output_tokens=18)
    ),
    "deepseek": Reply(
        text="Customer 42: 40 people, burnt by a slow roll-out.", delay_s=0.15, usage=Usage(input_tokens=204, output_tokens=16)
    ),
}


def _answer(exchange: Exchange) -> Reply:
    return _WORDS[exchange.vendor]
