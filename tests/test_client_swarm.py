"""A swarm: several models asked at once, and what most of them say."""

from __future__ import annotations

import pytest
from overrides import Chosen
from pydantic import BaseModel

from otel_llm import LLM, ConfigurationError, errors
from otel_llm.testing.provider import FakeProvider, Reply
from otel_llm.testing.sink import SpanSink

MODELS = ["openrouter:a/one", "openrouter:b/two", "openrouter:c/three"]


@pytest.fixture
def llm(fake: FakeProvider, monkeypatch: pytest.MonkeyPatch) -> LLM:
    monkeypatch.setenv("OPENROUTER_BASE_URL", fake.openrouter)
    monkeypatch.setenv("OPENROUTER_API_KEY", "sk-fake")
    return LLM("openrouter:the/default", resolver=Chosen(), retries=0)


def answering(fake: FakeProvider, **replies: Reply) -> None:
    """What each model says, by the end of its name."""
    for name, reply in replies.items():
        fake.reply(reply, when=lambda exchange, name=name: (exchange.model or "").endswith(name))  # type: ignore[misc]


async def test_most_votes_win_and_the_vote_is_recorded(llm: LLM, fake: FakeProvider, recorded: SpanSink) -> None:
    answering(fake, one=Reply(text="No"), two=Reply(text="Yes"), three=Reply(text=" yes\n"))

    swarm = await llm.swarm(MODELS, "Be brief.", "Really?", name="jury")

    assert (swarm.reply.text, swarm.votes) == ("Yes", 2)
    assert [member.reply.text if member.reply else None for member in swarm.members] == ["No", "Yes", " yes\n"]
    ((root, children),) = recorded.tree()
    assert (root, sorted(children)) == ("invoke_workflow jury", [(f"chat {m}", ()) for m in ("a/one", "b/two", "c/three")])
    seen = recorded.attributes(recorded.one(name="invoke_workflow jury"))
    assert {name: value for name, value in seen.items() if "swarm" in name} == {
        "otel_llm.swarm.models": tuple(MODELS),
        "otel_llm.swarm.quorum": 2,
        "otel_llm.swarm.votes": ("1", "2", "2"),
        "otel_llm.swarm.winner": "openrouter:b/two",
    }
    assert {recorded.attributes(span)["otel_llm.model.source"] for span in recorded.calls} == {"argument"}


async def test_a_member_that_fails_or_is_late_is_no_vote(llm: LLM, fake: FakeProvider, recorded: SpanSink) -> None:
    answering(fake, one=Reply(stall_at=0), two=Reply(status=404), three=Reply(text="Yes"))

    swarm = await llm.swarm(MODELS, user="Really?", quorum=1, timeout_s=2.0)

    assert (swarm.reply.text, swarm.votes) == ("Yes", 1)
    late, unknown, _ = (member.error for member in swarm.members)
    assert isinstance(late, errors.DeadlineError)
    assert isinstance(unknown, errors.ModelNotFoundError)
    seen = recorded.attributes(recorded.one(name="invoke_workflow swarm"))
    assert seen["otel_llm.swarm.votes"] == ("timeout", "not_found", "1")


async def test_without_a_quorum_there_is_no_answer(llm: LLM, fake: FakeProvider, recorded: SpanSink) -> None:
    answering(fake, one=Reply(status=404), two=Reply(status=402))
    with pytest.raises(errors.QuorumError, match="1 of 3 models answered, 2 had to") as caught:
        await llm.swarm(MODELS, user="Really?")
    assert set(caught.value.errors) == {"openrouter:a/one", "openrouter:b/two"}
    span = recorded.one(name="invoke_workflow swarm")
    assert span.status.status_code.name == "ERROR"
    assert recorded.attributes(span)["otel_llm.swarm.votes"] == ("not_found", "quota", "1")


class Verdict(BaseModel):
    guilty: bool
    why: str


async def test_parsed_answers_and_a_vote_of_ones_own(llm: LLM, fake: FakeProvider) -> None:
    answering(
        fake,
        one=Reply(text='{"guilty": true, "why": "a"}'),
        two=Reply(text='{"guilty": false, "why": "b"}'),
        three=Reply(text='{"guilty": false, "why": "c"}'),
    )
    swarm = await llm.swarm(MODELS, user="Really?", json=Verdict, vote=lambda reply: reply.parsed.guilty)
    assert (swarm.reply.parsed, swarm.votes) == (Verdict(guilty=False, why="b"), 2)


@pytest.mark.parametrize("quorum", [0, 4])
async def test_a_quorum_that_cannot_be_is_refused(llm: LLM, quorum: int, fake: FakeProvider) -> None:
    with pytest.raises(ConfigurationError, match=f"3 models cannot have a quorum of {quorum}"):
        await llm.swarm(MODELS, user="Really?", quorum=quorum)
    assert fake.exchanges == []
