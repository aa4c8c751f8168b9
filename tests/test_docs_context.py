"""Each example of ``docs/context.md`` runs, and records the tree that stands below it."""

from __future__ import annotations

import ast
import asyncio
import inspect
import re
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import httpx
import pytest
from opentelemetry.sdk.trace import ReadableSpan

from otel_llm import headers
from otel_llm.running_tasks import running_tasks
from otel_llm.testing.provider import FakeProvider
from otel_llm.testing.sink import SpanSink

TESTS = Path(__file__).parent
PAGE = (TESTS.parent / "docs" / "context.md").read_text()
_BLOCKS = re.compile(r"```python\n(.*?)```(?:\n\n```text\n(.*?)```)?", re.DOTALL)
SETUP, *EXAMPLES = _BLOCKS.findall(PAGE)
#: Defined in one example and used again in a later one.
SHARED = next(code for code, _ in EXAMPLES if "def remember" in code).partition("\n\n\nwith ")[0]


@pytest.fixture
def page(fake: FakeProvider, monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    """A module that an example is run in, importable for the processes that are forked in it."""
    monkeypatch.setenv("OPENAI_BASE_URL", fake.openai)
    monkeypatch.setenv("OPENAI_API_KEY", "sk-fake")
    monkeypatch.setattr(headers, "_allowed", None)
    module = ModuleType("page_of_docs_context")
    monkeypatch.setitem(sys.modules, module.__name__, module)
    exec(SETUP[0] + SHARED, module.__dict__)
    return module


async def run(code: str, module: ModuleType) -> None:
    done = eval(compile(code, "docs/context.md", "exec", ast.PyCF_ALLOW_TOP_LEVEL_AWAIT), module.__dict__)
    if inspect.isawaitable(done):
        await done
    if "app" in module.__dict__:
        async with httpx.AsyncClient(transport=httpx.ASGITransport(module.app), base_url="http://test") as client:
            (await client.get("/ask")).raise_for_status()
    await asyncio.gather(*running_tasks._tasks, return_exceptions=True)


def drawn(spans: list[ReadableSpan]) -> str:
    """Spans below their parents by indentation, siblings in the order of their starts, links by the names of their targets."""
    names = {span.context.span_id: span.name for span in spans}
    below: dict[int | None, list[ReadableSpan]] = {}
    for span in sorted(spans, key=lambda span: span.start_time or 0):
        below.setdefault(span.parent and span.parent.span_id, []).append(span)

    def lines(parent: int | None, depth: int) -> Iterator[str]:
        for span in below.get(parent, ()):
            linked = "".join(f", linked to {names[link.context.span_id]}" for link in span.links)
            yield f"{'  ' * depth}{span.name}{linked}\n"
            yield from lines(span.context.span_id, depth + 1)

    return "".join(lines(None, 0))


@pytest.mark.filterwarnings("ignore:.*is multi-threaded:DeprecationWarning")
@pytest.mark.parametrize(("code", "tree"), EXAMPLES, ids=[str(number) for number in range(len(EXAMPLES))])
async def test_an_example_records_the_tree_below_it(code: str, tree: str, page: ModuleType, recorded: SpanSink) -> None:
    await run(code, page)
    assert drawn(recorded.spans) == tree


def test_all_python_and_each_tree_is_run() -> None:
    assert PAGE.count("```python") == len(EXAMPLES) + 1
    assert PAGE.count("```text") == sum(bool(tree) for _, tree in EXAMPLES)
    assert PAGE.count("```") == 2 * (PAGE.count("```python") + PAGE.count("```text"))


@pytest.mark.parametrize("link", sorted(set(re.findall(r"\]\(([^)#]+)\)", PAGE))))
def test_each_link_leads_somewhere(link: str) -> None:
    assert (TESTS.parent / "docs" / link).exists()
