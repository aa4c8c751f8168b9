"""The rules of the house: who may import whom, how large a file may be, and which names are public."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import pytest

import otel_llm

ROOT = Path(__file__).resolve().parents[1]
CORE = sorted((ROOT / "otel_llm").rglob("*.py"))
EXPORTERS = sorted(p for folder in (ROOT / "exporters").iterdir() for p in folder.glob("otel_llm_*/**/*.py"))

PUBLIC = {
    "CaptureMode",
    "Carrier",
    "ConfigurationError",
    "ContextExecutor",
    "ContextProcessor",
    "DeliveryError",
    "LLM",
    "LLMError",
    "LLMInstrumentor",
    "MissingExtraError",
    "ModelChoice",
    "ModelResolver",
    "OtelLLMError",
    "Parcel",
    "Pipeline",
    "Step",
    "Reply",
    "Service",
    "__version__",
    "agent",
    "bind",
    "capture",
    "configure",
    "extract",
    "force_flush",
    "heartbeat",
    "identify",
    "inject",
    "instrument",
    "instrument_client",
    "lifespan",
    "parcel",
    "shutdown",
    "shutdown_on_signals",
    "spawn",
    "stream",
    "tool",
    "uninstrument",
    "worker",
    "workflow",
}

#: What a room may import of otel_llm, beside itself, ``semconv``, ``errors`` and ``version``.
ROOMS = {
    "models": {"identity", "private_files", "providers", "state_directory"},
    "protocols": set[str](),
    "providers": {"protocols"},
    "endpoints": {"protocols", "providers"},
    "answer": {"decoding", "protocols"},
    "call": {
        "answer",
        "attempts",
        "emit",
        "endpoints",
        "failure",
        "failure_category",
        "guard",
        "open_calls",
        "protocols",
        "response_headers",
    },
    "instrumentation": {
        "aiohttp_seam",
        "content",
        "emit",
        "guard",
        "httpx_seam",
        "instrumentor_options",
        "rewriting",
        "rewriting_requests",
        "tracing",
    },
    "instrumentor_options": {"content", "endpoints", "headers", "price_table", "propagation_hosts", "providers"},
    "rewriting": {"endpoints", "guard", "identity", "models", "rewriting_requests"},
    "rewriting_requests": {"endpoints", "protocols"},
    "httpx_seam": {"call", "emit", "guard", "sending", "tee"},
    "aiohttp_seam": {"call", "emit", "endpoints", "guard", "sending", "tee"},
    "sending": {"call"},
    "context": {"attachment", "identity", "scopes", "work"},
    "arguments": set[str](),
    "attachment": set[str](),
    "bounded_json": {"content"},
    "decorating": {"arguments", "attachment", "streams", "work"},
    "failure": set[str](),
    "heartbeats": {"bounded_json", "guard"},
    "production": {"attachment", "bounded_json", "guard", "work"},
    "scopes": {"attachment", "decorating", "work"},
    "streaming": {"streams", "work"},
    "streams": {"production", "work"},
    "tooling": {"scopes", "work"},
    "work": {"arguments", "bounded_json", "content", "failure", "guard", "identity", "suppression", "tracing"},
    "ancestry": set[str](),
    "background": {"carriers", "processor", "running_tasks", "suppression"},
    "binding": {"carriers"},
    "carriers": {"attachment", "identity", "processor", "projects", "surroundings"},
    "headers": {"carriers", "endpoints", "propagation_hosts"},
    "parcels": {"carriers"},
    "propagation_hosts": set[str](),
    "running_tasks": {"failure"},
    "emit": {
        "ancestry",
        "attributes",
        "content",
        "emit_nested",
        "metrics",
        "others",
        "processor",
        "protocols",
        "suppression",
        "tracing",
    },
    "identity": set[str](),
    "suppression": set[str](),
    "tracing": {"processor"},
    "pipelines": {"identity"},
    "processor": {"ancestry", "identity", "others", "pipelines", "projects", "surroundings"},
    "projects": set[str](),
    "surroundings": {"ancestry", "identity"},
    "others": set[str](),
    "delivery": {
        "content_policy",
        "content_spans",
        "dialects",
        "private_files",
        "setting_faults",
        "state_directory",
        "span_copies",
    },
    "setting_faults": set[str](),
    "lifecycle": {"configuration"},
    "content": set[str](),
    "content_forms": set[str](),
    "content_json": {"content", "content_forms"},
    "content_names": set[str](),
    "content_policy": {
        "content",
        "content_forms",
        "content_json",
        "content_names",
        "content_tree",
        "masking",
        "recent",
    },
    "content_settings": {"content_forms", "content_policy", "mask_patterns", "masking"},
    "content_spans": {"content_policy", "span_copies"},
    "span_copies": set[str](),
    "content_tree": {"content_forms"},
    "mask_patterns": set[str](),
    "masking": {"mask_patterns", "recent"},
    "recent": {"content"},
    "dialects": {"attributes", "content", "protocols"},
    "call_cost": {"pricing", "protocols"},
    "costs": {"call_cost", "guard", "protocols"},
    "metrics": {"costs", "protocols"},
    "model_names": set[str](),
    "pricing": {"model_names", "price_list", "price_table", "rates", "token_parts", "unpriced_notes"},
    "price_list": {"rates"},
    "price_row": {"rates"},
    "price_table": {"price_row", "rates"},
    "rates": {"token_parts"},
    "state_directory": set[str](),
    "private_files": set[str](),
    "budget": {"budget_file"},
    "budget_file": {"private_files", "state_directory"},
    "token_parts": set[str](),
    "unpriced_notes": {"private_files", "state_directory"},
    "client": {"context", "failure_category", "models", "protocols"},
    "pipeline": {"background", "context", "decorating", "failure", "running_tasks"},
}
#: What a distribution of a destination may import of the core.
FOR_EXPORTERS = {
    "ancestry",
    "budget",
    "content",
    "content_policy",
    "content_settings",
    "content_spans",
    "delivery",
    "dialects",
    "doctor",
    "errors",
    "identity",
    "masking",
    "models",
    "pricing",
    "projects",
    "recent",
    "semconv",
    "tracing",
    "version",
    "span_copies",
}


def imported(path: Path) -> set[str]:
    """Dotted names of the modules that a file imports at run time."""
    tree = ast.parse(path.read_text())
    typing_only = {
        id(inner)
        for node in ast.walk(tree)
        if isinstance(node, ast.If) and "TYPE_CHECKING" in ast.dump(node.test)
        for inner in ast.walk(node)
    }
    names: set[str] = set()
    for node in ast.walk(tree):
        if id(node) in typing_only:
            continue
        if isinstance(node, ast.Import):
            names.update(alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            names.update(f"{node.module}.{alias.name}" for alias in node.names)
    return names


def rooms(path: Path) -> set[str]:
    """First-level modules of otel_llm that a file imports; public names count as none."""
    found = {name.split(".")[1] for name in imported(path) if name.startswith("otel_llm.")}
    return found - PUBLIC


def own_room(path: Path) -> str:
    return path.relative_to(ROOT / "otel_llm").parts[0].removesuffix(".py")


@pytest.mark.parametrize("path", [p for p in CORE if own_room(p) in ROOMS], ids=lambda p: str(p.relative_to(ROOT)))
def test_a_room_imports_only_what_lies_below_it(path: Path) -> None:
    allowed = ROOMS[own_room(path)] | {own_room(path), "semconv", "errors", "version"}
    assert rooms(path) <= allowed


@pytest.mark.parametrize("path", [p for p in CORE if own_room(p) == "protocols"], ids=lambda p: str(p.relative_to(ROOT)))
def test_protocols_are_pure(path: Path) -> None:
    foreign = {name.split(".")[0] for name in imported(path)} - set(sys.stdlib_module_names) - {"otel_llm"}
    assert foreign <= {"pydantic_core"}
    assert not {"time", "datetime", "random", "socket", "threading"} & {name.split(".")[0] for name in imported(path)}


@pytest.mark.parametrize("path", CORE, ids=lambda p: str(p.relative_to(ROOT)))
def test_the_core_never_imports_a_destination(path: Path) -> None:
    assert not any(name.startswith(("otel_llm_langfuse", "otel_llm_insforge", "langfuse")) for name in imported(path))


@pytest.mark.parametrize("path", EXPORTERS, ids=lambda p: str(p.relative_to(ROOT)))
def test_a_destination_imports_only_the_rooms_made_for_it(path: Path) -> None:
    assert rooms(path) <= FOR_EXPORTERS


def test_tracing_arises_underneath_contexts_and_clients() -> None:
    for name in ("context", "background", "identity", "processor", "streaming", "tooling", "work"):
        assert "instrumentation" not in rooms(ROOT / "otel_llm" / f"{name}.py")


def test_only_the_emitter_talks_to_util_genai() -> None:
    users = {p.name for p in CORE if any(n.startswith("opentelemetry.util.genai") for n in imported(p))}
    assert users == {"emit_nested.py"}


def test_only_the_seam_patches() -> None:
    assert {p.name for p in CORE if "wrap_function_wrapper" in p.read_text()} == {"instrumentation.py"}


@pytest.mark.parametrize("path", [*CORE, *EXPORTERS], ids=lambda p: str(p.relative_to(ROOT)))
def test_files_and_functions_stay_small(path: Path) -> None:
    source = path.read_text()
    assert source.count("\n") <= 400
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            assert (node.end_lineno or 0) - node.lineno < 60, node.name


def test_the_public_names_are_these() -> None:
    assert set(otel_llm.__all__) == PUBLIC
    assert set(dir(otel_llm)) == PUBLIC


@pytest.mark.parametrize("name", sorted(PUBLIC))
def test_each_public_name_can_be_had(name: str) -> None:
    assert getattr(otel_llm, name) is not None
    # A module of the same name would take its place on the package once it is imported.
    assert not (ROOT / "otel_llm" / f"{name}.py").exists()


def test_an_unknown_name_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="nonsense"):
        otel_llm.nonsense  # noqa: B018


def test_importing_the_package_loads_neither_the_sdk_nor_an_http_library() -> None:
    code = "import sys, otel_llm; print([m for m in ('opentelemetry', 'httpx', 'pydantic', 'requests') if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
