"""Several Langfuse projects in one process: their settings, where each span goes, and that nothing of one reaches another."""

from __future__ import annotations

import asyncio
import contextvars
import logging
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

import pytest
from beside_the_sdk import run
from hypothesis import given, settings
from hypothesis import strategies as st
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.util.instrumentation import InstrumentationScope
from opentelemetry.trace import Tracer

from otel_llm import agent, capture, identify
from otel_llm.errors import ConfigurationError
from otel_llm.testing.langfuse import FakeLangfuse
from otel_llm.tracing import stamp_spans_of, use_provider
from otel_llm_langfuse import LangfuseExporter, from_environment
from otel_llm_langfuse.in_use import InUse
from otel_llm_langfuse.projects import Route, settings_of_projects

TWO = {
    "LANGFUSE_PUBLIC_KEY": "pk-lf-0",
    "LANGFUSE_SECRET_KEY": "sk-lf-0",
    "LANGFUSE_BASE_URL": "https://langfuse.example.com",
    "LANGFUSE_TRACING_ENVIRONMENT": "prod",
    "OTEL_LLM_LANGFUSE_PROJECTS": "acme, b-corp",
    "LANGFUSE_PUBLIC_KEY_ACME": "pk-lf-1",
    "LANGFUSE_SECRET_KEY_ACME": "sk-lf-1",
    "LANGFUSE_BASE_URL_ACME": "https://acme.example.com",
    "LANGFUSE_PUBLIC_KEY_B_CORP": "pk-lf-2",
    "LANGFUSE_SECRET_KEY_B_CORP": "sk-lf-2",
    "LANGFUSE_TRACING_ENVIRONMENT_B_CORP": "trial",
}


@pytest.fixture
def environment(monkeypatch: pytest.MonkeyPatch) -> Callable[[dict[str, str]], None]:
    monkeypatch.delenv("OTEL_LLM_LANGFUSE_PROJECTS", raising=False)

    def use(variables: dict[str, str]) -> None:
        for name, value in variables.items():
            monkeypatch.setenv(name, value)

    return use


# --- settings ---------------------------------------------------------------------------------------------------------


def test_each_project_has_its_keys_and_may_have_more_of_its_own(environment: Callable[[dict[str, str]], None]) -> None:
    environment(TWO)
    found = settings_of_projects()
    assert {project: (s.public_key, s.base_url, s.environment) for project, s in found.items()} == {
        None: ("pk-lf-0", "https://langfuse.example.com", "prod"),
        "acme": ("pk-lf-1", "https://acme.example.com", "prod"),
        "b-corp": ("pk-lf-2", "https://langfuse.example.com", "trial"),
    }
    assert [destination.name for destination in from_environment()] == ["langfuse", "langfuse.acme", "langfuse.b-corp"]


def test_there_need_be_no_default_project(environment: Callable[[dict[str, str]], None]) -> None:
    environment({name: value for name, value in TWO.items() if name not in ("LANGFUSE_PUBLIC_KEY", "LANGFUSE_SECRET_KEY")})
    assert list(settings_of_projects()) == ["acme", "b-corp"]


@pytest.mark.parametrize(
    ("changes", "faults"),
    [
        (
            {"LANGFUSE_PUBLIC_KEY_ACME": "", "LANGFUSE_SECRET_KEY_B_CORP": " "},
            [
                "LANGFUSE_PUBLIC_KEY_ACME is not set, for project 'acme'",
                "LANGFUSE_SECRET_KEY_B_CORP is not set, for project 'b-corp'",
            ],
        ),
        (
            {"LANGFUSE_PUBLIC_KEY_ACME": "sk-lf-hush", "LANGFUSE_TIMEOUT": "0"},
            [
                "LANGFUSE_TIMEOUT Input should be greater than 0",
                "LANGFUSE_PUBLIC_KEY_ACME holds a secret key (sk-lf-...); it takes the public key (pk-lf-...)",
            ],
        ),
        (
            {"LANGFUSE_PUBLIC_KEY_ACME": "pk-lf-2"},
            ["LANGFUSE_PUBLIC_KEY_B_CORP is the same key as LANGFUSE_PUBLIC_KEY_ACME"],
        ),
        (
            {"OTEL_LLM_LANGFUSE_PROJECTS": "acme,AcMe,acme,b corp"},
            [
                "OTEL_LLM_LANGFUSE_PROJECTS names 'acme' and 'AcMe', whose variables would be the same",
                "OTEL_LLM_LANGFUSE_PROJECTS names 'b corp'; a name has letters, digits, '-' and '_' only",
            ],
        ),
    ],
)
def test_all_faults_are_told_at_once_and_no_key_is(
    environment: Callable[[dict[str, str]], None], changes: dict[str, str], faults: list[str]
) -> None:
    environment(TWO | changes)
    with pytest.raises(ConfigurationError) as raised:
        settings_of_projects()
    assert raised.value.faults == tuple(faults)
    assert "hush" not in str(raised.value)


def test_a_project_never_falls_back_on_the_keys_of_the_default_one() -> None:
    with pytest.raises(ConfigurationError) as raised:
        LangfuseExporter(project="acme", secret_key="sk-lf-1")
    assert raised.value.faults == ("LANGFUSE_PUBLIC_KEY_ACME is not set, for project 'acme'",)


# --- where a span goes ------------------------------------------------------------------------------------------------

WHERE = "https://langfuse.example.com"


@pytest.fixture
def routes(monkeypatch: pytest.MonkeyPatch) -> Iterator[dict[str, Route]]:
    monkeypatch.setattr("otel_llm_langfuse.projects._open", InUse())
    made = {
        "langfuse": Route("pk-0", None, WHERE),
        "acme": Route("pk-acme", "acme", WHERE),
        "beta": Route("pk-beta", "beta", WHERE),
    }
    yield made
    for route in made.values():
        route.close()


@pytest.mark.parametrize(
    ("named", "client", "of_resource", "goes_to"),
    [
        (None, None, None, ["langfuse"]),
        ("acme", None, None, ["acme"]),
        (None, None, "acme", ["acme"]),
        ("beta", None, "acme", ["beta"]),
        ("gamma", None, None, []),
        ("gamma", None, "acme", []),
        (None, None, "gamma", []),
        (None, "pk-0", None, ["langfuse"]),
        (None, "pk-acme", None, ["acme"]),
        (None, "pk-acme", "beta", ["acme"]),
        ("acme", "pk-0", None, ["acme"]),
        ("acme", "pk-acme", None, ["acme"]),
        ("beta", "pk-acme", None, []),
        (None, "pk-stranger", None, []),
        ("acme", "pk-stranger", None, []),
    ],
)
def test_a_span_goes_to_one_project_at_most(
    routes: dict[str, Route],
    make_span: Callable[..., ReadableSpan],
    named: str | None,
    client: str | None,
    of_resource: str | None,
    goes_to: list[str],
) -> None:
    scope = InstrumentationScope("langfuse-sdk", attributes={"public_key": client}) if client else None
    attributes = {"gen_ai.operation.name": "chat"} | ({"otel_llm.project": named} if named else {})
    resource = {"otel_llm.project": of_resource} if of_resource else {}
    span = make_span(attributes, scope=scope, resource=resource)
    assert [name for name, route in routes.items() if route.leads_here(span)] == goes_to


def test_what_is_nobodys_is_counted_and_logged_once_a_minute(
    routes: dict[str, Route],
    make_span: Callable[..., ReadableSpan],
    caplog: pytest.LogCaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("otel_llm_langfuse.projects._log_limit._next", {})
    routes.pop("langfuse").close()
    with caplog.at_level(logging.WARNING):
        for project in (None, "gamma", "acme"):
            routes["acme"].leads_here(make_span({"otel_llm.project": project} if project else {}))
    assert routes["acme"].astray == 2
    assert caplog.messages == [
        "A span goes to no Langfuse project: it names no project, and there is no default one; configured are: acme, beta. "
        "1 such span(s) so far."
    ]


# --- no leak ----------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Work:
    """A span, what project it names and how, how it is started, and what is below it."""

    project: str | None
    by: str = "identify"
    genai: bool = True
    how: str = "here"
    below: tuple[Work, ...] = ()


@dataclass
class Told:
    """Names of spans to the project they are for, and to the name of the span above them."""

    projects: dict[str, str | None] = field(default_factory=dict)
    above: dict[str, str | None] = field(default_factory=dict)
    genai: set[str] = field(default_factory=set)


WORK = st.recursive(
    st.builds(
        Work,
        st.sampled_from([None, "acme", "beta", "gamma"]),
        st.sampled_from(["identify", "attribute"]),
        st.booleans(),
        st.sampled_from(["here", "thread", "carrier", "task"]),
    ),
    lambda below: st.builds(
        Work,
        st.sampled_from([None, None, "acme", "beta", "gamma"]),
        st.sampled_from(["identify", "attribute"]),
        st.booleans(),
        st.sampled_from(["here", "thread", "carrier", "task"]),
        st.lists(below, max_size=3).map(tuple),
    ),
    max_leaves=8,
)


async def do(work: Work, tracer: Tracer, told: Told, above: str | None, identified: str | None) -> None:
    """Do the work, and note what a reader of it expects: the context's project, else that of the span above."""
    name = f"{len(told.above)}"
    told.above[name] = above
    by_context = work.project if work.project and work.by == "identify" else identified
    by_attribute = work.project if work.by == "attribute" else None
    inherited = told.projects.get(above) if above else None
    told.projects[name] = by_attribute or by_context or inherited
    attributes = {"otel_llm.project": by_attribute} if by_attribute else {}
    if work.genai:
        told.genai.add(name)
        attributes["gen_ai.operation.name"] = "execute_tool"
    with (
        identify(project=work.project if work.by == "identify" else None),
        tracer.start_as_current_span(name, attributes=attributes),
    ):
        await asyncio.gather(*(started(below, tracer, told, name, by_context) for below in work.below))


async def started(work: Work, tracer: Tracer, told: Told, above: str, identified: str | None) -> None:
    """Start work as it says. A carrier takes the project of its span along."""
    if work.how == "here":
        await do(work, tracer, told, above, identified)
    elif work.how == "task":
        await asyncio.create_task(do(work, tracer, told, above, identified))
    elif work.how == "thread":
        await asyncio.to_thread(lambda: asyncio.run(do(work, tracer, told, above, identified)))
    else:
        carrier, known = capture(), identified or told.projects[above]

        def work_on() -> None:
            with carrier.attach():
                asyncio.run(do(work, tracer, told, above, known))

        thread = threading.Thread(target=lambda: contextvars.Context().run(work_on))
        thread.start()
        await asyncio.to_thread(thread.join)


@pytest.fixture(scope="module")
def servers() -> Iterator[dict[str | None, FakeLangfuse]]:
    with FakeLangfuse() as default, FakeLangfuse() as acme, FakeLangfuse() as beta:
        acme.public_key, beta.public_key = "pk-lf-acme", "pk-lf-beta"
        yield {None: default, "acme": acme, "beta": beta}


@dataclass(frozen=True)
class Process:
    """A tracer, and one exporter for each of the projects."""

    tracer: Tracer
    exporters: dict[str | None, LangfuseExporter]
    servers: dict[str | None, FakeLangfuse]

    def forget(self) -> None:
        for server in self.servers.values():
            server.clear()

    def flush(self) -> None:
        for exporter in self.exporters.values():
            assert exporter.force_flush()


@pytest.fixture(scope="module")
def process() -> Iterator[Process]:
    with FakeLangfuse() as default, FakeLangfuse(public_key="pk-1") as acme, FakeLangfuse(public_key="pk-2") as beta:
        servers = {None: default, "acme": acme, "beta": beta}
        provider = TracerProvider(shutdown_on_exit=False, resource=Resource({}))
        stamp_spans_of(provider)
        use_provider(provider)
        exporters = {
            project: LangfuseExporter(
                project=project, public_key=server.public_key, secret_key=server.secret_key, base_url=server.base_url
            )
            for project, server in servers.items()
        }
        for exporter in exporters.values():
            provider.add_span_processor(SimpleSpanProcessor(exporter))
        yield Process(provider.get_tracer("app"), exporters, servers)
        provider.shutdown()
        use_provider(None)


def expected(told: Told, project: str | None) -> dict[str, str | None]:
    """The tree of one project: its GenAI spans, each below the nearest of them above it."""

    def nearest(name: str | None) -> str | None:
        while name is not None and not (told.projects[name] == project and name in told.genai):
            name = told.above[name]
        return name

    return {name: nearest(told.above[name]) for name in told.genai if told.projects[name] == project}


@settings(max_examples=60)
@given(work=WORK)
def test_nothing_of_one_project_reaches_another(process: Process, work: Work) -> None:
    process.forget()
    told = Told()
    asyncio.run(do(work, process.tracer, told, None, None))
    process.flush()
    for project, server in process.servers.items():
        assert tree(server.observations) == expected(told, project)
        assert set(server.arrivals.values()) <= {1}


def tree(rows: list[dict[str, Any]]) -> dict[str, str | None]:
    by_id = {row["id"]: row["name"] for row in rows}
    return {row["name"]: by_id[row["parent_span_id"]] if row.get("parent_span_id") else None for row in rows}


def test_the_part_of_a_trace_that_another_project_gets_has_a_root_of_its_own(process: Process) -> None:
    process.forget()
    chat = {"gen_ai.operation.name": "chat"}
    with agent("concierge", project="acme"), identify(project="beta"), process.tracer.start_as_current_span("POST"):
        process.tracer.start_span("chat", attributes=chat).end()
    process.flush()

    assert tree(process.servers["acme"].observations) == {"invoke_agent concierge": None}
    [row] = process.servers["beta"].observations
    assert (row["name"], row.get("parent_span_id"), row["is_app_root"]) == ("chat", None, True)


def test_clients_of_the_sdk_are_for_their_projects_and_so_are_the_calls_below() -> None:
    outcome = run("""
        for name, server in {"ACME": acme, "BETA": beta}.items():
            os.environ |= {f"{key}_{name}": value for key, value in server.environment.items()}
        os.environ["OTEL_LLM_LANGFUSE_PROJECTS"] = "acme,beta"
        otel_llm.configure()
        for server in (langfuse, acme, beta):
            Langfuse(**keys(server))

        @observe()
        def answer():
            ask()

        answer(langfuse_public_key=langfuse.public_key)
        answer(langfuse_public_key=acme.public_key)
        with otel_llm.identify(project="beta"):
            answer(langfuse_public_key=langfuse.public_key)
        provider.get_tracer("other").start_span("chat acme", attributes={"otel_llm.project": "acme", "gen_ai.system": "x"}).end()
    """)
    both = {"answer": None, "chat gpt-4o": "answer"}
    assert [server.tree for server in (outcome.langfuse, outcome.acme, outcome.beta)] == [
        both,
        both | {"chat acme": None},
        both,
    ]
    assert {count for server in (outcome.langfuse, outcome.acme, outcome.beta) for count in server.arrivals.values()} == {1}
