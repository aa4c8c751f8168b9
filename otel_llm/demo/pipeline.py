"""The demonstration's application: a "support" pipeline in the manner of a sales bot.

It is written as an application would be: raw httpx here, vendors' SDKs there, agents in sequence, in parallel and in the background.
Only ``workflow``, ``agent``, ``identify`` and ``spawn`` are otel-llm's.
"""

from __future__ import annotations

import asyncio
import json

import httpx
from anthropic import AsyncAnthropic
from openai import AsyncOpenAI

from otel_llm.background import spawn
from otel_llm.context import agent, identify, workflow
from otel_llm.demo.vendors import Vendor, Vendors

QUESTION = "The customer says: we tried something like this, and the roll-out took a year. What do I answer?"
#: Large, as real playbooks are: some 280 KB that go along with each call.
PLAYBOOK = "\n".join(
    f"Rule {n}: answer in short sentences, ask before you offer, and name a customer of the same size." for n in range(3_000)
)


async def run(vendors: Vendors) -> None:
    """One question through the pipeline, and one call outside of it."""
    remembering = await support(vendors)
    await greet(vendors.extraction)
    await remembering


@workflow("support")
async def support(vendors: Vendors) -> asyncio.Task[None]:
    """Strategist, then trainer and extraction side by side; memory goes on after the answer is out."""
    with identify(user_id="42", session_id="support_42", tags=["demo"], metadata={"channel": "chat"}):
        advice = await strategist(vendors.strategist, QUESTION)
        _, facts = await asyncio.gather(trainer(vendors.trainer, advice), extraction(vendors.extraction, QUESTION))
        return spawn(memory(vendors.memory, facts), name="memory")


@agent("strategist")
async def strategist(vendor: Vendor, question: str) -> str:
    """Raw httpx, streamed, with the whole playbook."""
    body = {
        "model": vendor.model,
        "stream": True,
        "max_tokens": 300,
        "messages": [{"role": "system", "content": PLAYBOOK}, {"role": "user", "content": question}],
    }
    pieces: list[str] = []
    headers = {"authorization": f"Bearer {vendor.api_key}"}
    async with (
        httpx.AsyncClient(timeout=60) as http,
        http.stream("POST", f"{vendor.base_url}/chat/completions", json=body, headers=headers) as response,
    ):
        response.raise_for_status()
        async for line in response.aiter_lines():
            if line.startswith("data: {"):
                pieces.extend(choice["delta"].get("content") or "" for choice in json.loads(line[6:])["choices"])
    return "".join(pieces)


@agent("trainer")
async def trainer(vendor: Vendor, advice: str) -> str:
    """The official Anthropic SDK."""
    async with AsyncAnthropic(base_url=vendor.base_url, auth_token=vendor.api_key) as client:
        message = await client.messages.create(
            model=vendor.model,
            max_tokens=200,
            system="You train sales people. Judge the advice in two sentences.",
            messages=[{"role": "user", "content": advice}],
        )
    return "".join(block.text for block in message.content if block.type == "text")


@agent("extraction")
async def extraction(vendor: Vendor, question: str) -> str:
    """The official OpenAI SDK; its first try may be throttled, and it tries again."""
    async with AsyncOpenAI(base_url=vendor.base_url, api_key=vendor.api_key, max_retries=2) as client:
        answer = await client.chat.completions.create(
            model=vendor.model,
            temperature=0,
            response_format={"type": "json_object"},
            messages=[
                {"role": "system", "content": "Extract team_size and objection as JSON."},
                {"role": "user", "content": question},
            ],
        )
    return answer.choices[0].message.content or ""


@agent("memory")
async def memory(vendor: Vendor, facts: str) -> None:
    """A background task: the answer to the user does not wait for it."""
    body = {"model": vendor.model, "messages": [{"role": "user", "content": f"Keep for later, in one line: {facts}"}]}
    async with httpx.AsyncClient(timeout=60) as http:
        headers = {"authorization": f"Bearer {vendor.api_key}"}
        (await http.post(f"{vendor.base_url}/chat/completions", json=body, headers=headers)).raise_for_status()


async def greet(vendor: Vendor) -> None:
    """A call outside of any pipeline: recorded too, though the legacy tables never had such calls."""
    async with AsyncOpenAI(base_url=vendor.base_url, api_key=vendor.api_key) as client:
        await client.chat.completions.create(model=vendor.model, messages=[{"role": "user", "content": "Say hello."}])
