"""What Langfuse's ``propagate_attributes()`` says is on our spans too, also where the SDK has no span processor."""

from __future__ import annotations

from typing import Any

import pytest
from beside_the_sdk import run
from opentelemetry.context import Context

from otel_llm_langfuse.propagation import propagated

PROPAGATED = """
everything = propagate_attributes(
    user_id="u1",
    session_id="s1",
    tags=["a", "b"],
    metadata={"tier": "gold", "seats": 3},
    version="v7",
    trace_name="support",
    environment="stage",
    prompt={"name": "greet", "version": 3},
)
"""
SAID = {
    "user_id": "u1",
    "session_id": "s1",
    "tags": ["a", "b", "agent:strategist"],
    "version": "v7",
    "trace_name": "support",
    "environment": "stage",
    "prompt_name": "greet",
    "prompt_version": 3,
}


@pytest.mark.parametrize("sdk", ["Langfuse(tracer_provider=TracerProvider())", "Langfuse()", "pass"])
def test_it_is_on_each_call_wherever_the_sdk_sends_to(sdk: str) -> None:
    outcome = run(
        f"otel_llm.configure()\n{sdk}",
        PROPAGATED,
        """
        with everything, otel_llm.agent("strategist"):
            ask()
        """,
    )
    call = outcome.langfuse.one("chat gpt-4o")
    assert {name: call[name] for name in SAID} == SAID
    assert (call["metadata"]["tier"], call["metadata"]["seats"]) == ("gold", "3")
    [trace] = outcome.langfuse.traces
    assert (trace["name"], trace["user_id"], trace["session_id"], trace["tags"]) == ("support", "u1", "s1", SAID["tags"])
    assert set(outcome.langfuse.arrivals.values()) == {1}


def test_it_is_on_calls_between_observations_of_the_sdk() -> None:
    outcome = run("""
        otel_llm.instrument(tracer_provider=provider)
        Langfuse(span_exporter=LangfuseExporter())

        @observe()
        def inner():
            with propagate_attributes(session_id="s2"):
                ask()

        @observe()
        def outer():
            with propagate_attributes(user_id="u1", session_id="s1"):
                with otel_llm.agent("strategist"):
                    inner()

        outer()
    """)
    assert outcome.langfuse.tree == {
        "outer": None,
        "invoke_agent strategist": "outer",
        "inner": "invoke_agent strategist",
        "chat gpt-4o": "inner",
    }
    seen = {row["name"]: (row["user_id"], row["session_id"]) for row in outcome.langfuse.rows}
    assert seen == {
        "outer": ("u1", "s1"),
        "invoke_agent strategist": ("u1", "s1"),
        "inner": ("u1", "s2"),
        "chat gpt-4o": ("u1", "s2"),
    }


def test_identify_wins() -> None:
    outcome = run("""
        otel_llm.configure()
        with propagate_attributes(user_id="theirs", session_id="s1"), otel_llm.identify(user_id="ours"):
            ask()
    """)
    call = outcome.langfuse.one("chat gpt-4o")
    assert (call["user_id"], call["session_id"]) == ("ours", "s1")


def test_work_handed_over_takes_it_along() -> None:
    outcome = run("""
        import threading
        otel_llm.configure()
        with propagate_attributes(user_id="u1", version="v7"), otel_llm.agent("strategist"):
            carrier = otel_llm.capture()
        def work():
            with carrier.attach():
                ask()
        thread = threading.Thread(target=work)
        thread.start()
        thread.join()
    """)
    call = outcome.langfuse.one("chat gpt-4o")
    assert (call["user_id"], call["version"]) == ("u1", "v7")
    assert outcome.langfuse.tree["chat gpt-4o"] == "invoke_agent strategist"


@pytest.mark.parametrize(
    ("told", "said"),
    [
        ({}, {}),
        ({"user_id": "u1"}, {"user_id": "u1"}),
        ({"user_id": 7, "tags": "a", "metadata": [1], "version": None, "environment": ""}, {}),
        ({"tags": ("a", 2)}, {"tags": ["a"]}),
        ({"metadata": {"a": '"x"', "b": "x", "c": '"x', "d": "7"}}, {"metadata": {"a": "x", "b": "x", "c": '"x', "d": "7"}}),
        ({"prompt_name": "greet"}, {"prompt": ("greet", None)}),
        ({"experiment_id": "e1"}, {"attributes": {"langfuse.experiment.id": "e1"}}),
    ],
)
def test_what_is_not_as_expected_is_left_out(told: dict[str, Any], said: dict[str, Any]) -> None:
    nothing: dict[str, Any] = {"tags": [], "metadata": {}, "prompt": (None, None), "attributes": {}} if told else {}
    assert propagated(Context({f"langfuse.propagated.{key}": value for key, value in told.items()})) == nothing | said
