"""What the doctor finds in settings and packages: each check is a function of an environment and of what is installed."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path

import pytest

from otel_llm.doctor.content_switches import content_findings
from otel_llm.doctor.core_settings import settings_findings
from otel_llm.doctor.double_instrumentation import double_findings
from otel_llm.doctor.finding import Finding, Level
from otel_llm.doctor.installed import Installed, read_installed
from otel_llm.doctor.otel_settings import otel_findings
from otel_llm.doctor.otel_versions import version_findings
from otel_llm.doctor.prices import price_findings
from otel_llm.doctor.sdks import OLDEST_TRIED, sdk_findings
from otel_llm.doctor.state_directory import state_findings
from otel_llm.local import LocalStore
from otel_llm.pricing import note_unpriced

CAPTURE = "OTEL_INSTRUMENTATION_GENAI_CAPTURE_MESSAGE_CONTENT"
ADDED_TO = "its span stands for the call, it gets what it lacks, and no second one is made"
LEFT_ALONE = "its span stands for the call, it is left as it is, and no second one is made"


@pytest.fixture(autouse=True)
def environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> pytest.MonkeyPatch:
    """No setting comes from outside."""
    import os

    for name in list(os.environ):
        if name.startswith(("OTEL_", "LANGFUSE_", "INSFORGE_")):
            monkeypatch.delenv(name)
    monkeypatch.setenv("OTEL_LLM_STATE_DIR", str(tmp_path / "state"))
    monkeypatch.setenv("OTEL_LLM_LOCAL_STORE", str(tmp_path / "state" / "traces.sqlite3"))
    return monkeypatch


def test_settings_that_are_valid() -> None:
    assert settings_findings() == [
        Finding(Level.OK, "settings", "those of otel-llm are valid"),
        Finding(Level.OK, "destinations", "spans go to the local store, for no destination is configured"),
    ]


def test_each_fault_of_the_settings_is_told_by_its_variable(environment: pytest.MonkeyPatch) -> None:
    environment.setenv(CAPTURE, "true")
    environment.setenv("OTEL_LLM_SEND_TIMEOUT", "-1")
    findings = settings_findings()
    assert [(finding.level, finding.where) for finding in findings] == [
        (Level.FAULT, "OTEL_LLM_SEND_TIMEOUT"),
        (Level.FAULT, CAPTURE),
    ]
    assert "to record content on spans, say SPAN_ONLY" in findings[1].what


@pytest.mark.parametrize(
    ("exporters", "level", "part"),
    [
        ("langfues", Level.FAULT, "names 'langfues', which is not installed"),
        ("insforge", Level.FAULT, "names 'insforge', but its settings are not in the environment"),
        ("local", Level.NOTE, "does not name 'langfuse', which is configured but gets nothing"),
        ("none", Level.WARNING, "is 'none': nothing is delivered"),
    ],
)
def test_names_of_exporters(environment: pytest.MonkeyPatch, exporters: str, level: Level, part: str) -> None:
    environment.setenv("LANGFUSE_PUBLIC_KEY", "pk-lf-1")
    environment.setenv("LANGFUSE_SECRET_KEY", "sk-lf-1")
    environment.setenv("OTEL_TRACES_EXPORTER", exporters)
    finding = settings_findings()[1]
    assert (finding.level, finding.where) == (level, "OTEL_TRACES_EXPORTER")
    assert part in finding.what


def test_a_destination_that_is_configured_is_told(environment: pytest.MonkeyPatch) -> None:
    environment.setenv("LANGFUSE_PUBLIC_KEY", "pk-lf-1")
    environment.setenv("LANGFUSE_SECRET_KEY", "sk-lf-1")
    assert settings_findings()[1] == Finding(Level.OK, "destinations", "spans go to langfuse")


@pytest.mark.parametrize(
    ("variable", "value", "level"),
    [
        ("OTEL_SDK_DISABLED", "true", Level.WARNING),
        ("OTEL_TRACES_SAMPLER", "always_off", Level.WARNING),
        ("OTEL_TRACES_SAMPLER", "parentbased_traceidratio", Level.WARNING),
        ("OTEL_SPAN_ATTRIBUTE_COUNT_LIMIT", "32", Level.WARNING),
        ("OTEL_ATTRIBUTE_COUNT_LIMIT", "0", Level.WARNING),
        ("OTEL_ATTRIBUTE_VALUE_LENGTH_LIMIT", "4096", Level.WARNING),
        ("OTEL_SPAN_ATTRIBUTE_VALUE_LENGTH_LIMIT", "100", Level.WARNING),
        ("OTEL_CONFIG_FILE", "otel.yaml", Level.NOTE),
    ],
)
def test_otel_settings_that_ruin_what_is_recorded(variable: str, value: str, level: Level) -> None:
    (finding,) = otel_findings({variable: value})
    assert (finding.level, finding.where) == (level, variable)
    assert finding.do


@pytest.mark.parametrize(
    "environ",
    [
        {},
        {"OTEL_SDK_DISABLED": "false", "OTEL_TRACES_SAMPLER": "parentbased_always_on"},
        {"OTEL_SPAN_ATTRIBUTE_COUNT_LIMIT": "128", "OTEL_ATTRIBUTE_VALUE_LENGTH_LIMIT": ""},
    ],
)
def test_otel_settings_that_do_no_harm(environ: Mapping[str, str]) -> None:
    assert otel_findings(environ) == []


@pytest.mark.parametrize(
    ("environ", "versions", "expected"),
    [
        ({"OTEL_SEMCONV_STABILITY_OPT_IN": "gen_ai_latest_experimental"}, {}, [(Level.NOTE, "OTEL_SEMCONV_STABILITY_OPT_IN")]),
        ({"OTEL_SEMCONV_STABILITY_OPT_IN": "http"}, {}, []),
        (
            {"OTEL_SEMCONV_STABILITY_OPT_IN": "gen_ai_latest_experimental"},
            {"opentelemetry-instrumentation-openai-v2": "2.3b0"},
            [],
        ),
        (
            {CAPTURE: "EVENT_ONLY", "OTEL_INSTRUMENTATION_GENAI_EMIT_EVENT": "false"},
            {},
            [(Level.WARNING, "OTEL_INSTRUMENTATION_GENAI_EMIT_EVENT")],
        ),
        (
            {"ANTHROPIC_OPEN_TELEMETRY_TRACES_CONTENT_MODE": "content"},
            {},
            [(Level.NOTE, "ANTHROPIC_OPEN_TELEMETRY_TRACES_CONTENT_MODE")],
        ),
        ({}, {"opentelemetry-semantic-conventions-ai": "0.5.1"}, [(Level.NOTE, "TRACELOOP_TRACE_CONTENT")]),
        ({"TRACELOOP_TRACE_CONTENT": "false"}, {"opentelemetry-semantic-conventions-ai": "0.5.1"}, []),
        ({}, {"openinference-instrumentation": "0.1.72"}, [(Level.NOTE, "OPENINFERENCE_HIDE_INPUTS")]),
        (
            {"OPENINFERENCE_HIDE_INPUTS": "true", "OPENINFERENCE_HIDE_OUTPUTS": "true"},
            {"openinference-instrumentation": "0.1.72"},
            [],
        ),
        ({CAPTURE: "SPAN_ONLY"}, {"openinference-instrumentation": "0.1.72"}, []),
    ],
)
def test_switches_of_content(
    environ: Mapping[str, str], versions: Mapping[str, str], expected: list[tuple[Level, str]]
) -> None:
    assert [(finding.level, finding.where) for finding in content_findings(environ, Installed(versions))] == expected


STEP = {
    "opentelemetry-api": "1.45.1",
    "opentelemetry-sdk": "1.45.1",
    "opentelemetry-exporter-otlp-proto-http": "1.45.1",
    "opentelemetry-instrumentation": "0.66b1",
    "opentelemetry-distro": "0.66b1",
}


def test_distributions_of_one_release() -> None:
    assert version_findings(Installed(STEP)) == [Finding(Level.OK, "opentelemetry", "1.45.1, all distributions of one release")]


@pytest.mark.parametrize(
    ("name", "version", "todo"),
    [
        ("opentelemetry-api", "1.44.0", "Install opentelemetry-api==1.45.1"),
        ("opentelemetry-instrumentation", "0.65b0", "Install opentelemetry-instrumentation==0.66b1"),
        (
            "opentelemetry-distro",
            "0.48b0",
            "Install opentelemetry-distro==0.66b1; if there is none yet, opentelemetry-sdk==1.27.0 belongs to this one",
        ),
    ],
)
def test_a_distribution_of_another_release(name: str, version: str, todo: str) -> None:
    assert version_findings(Installed({**STEP, name: version})) == [
        Finding(Level.WARNING, name, f"{version} does not belong to opentelemetry-sdk 1.45.1", todo)
    ]


@pytest.mark.parametrize(
    ("versions", "level", "where"),
    [
        ({"xai-sdk": "1.21.0"}, Level.WARNING, "xai-sdk"),
        ({"google-cloud-aiplatform": "1.100"}, Level.WARNING, "google-cloud-aiplatform"),
        ({"boto3": "1.40"}, Level.NOTE, "boto3"),
        ({"websockets": "15.0", "openai": "3.52.0"}, Level.NOTE, "websockets"),
        ({"httpx": "0.26.0"}, Level.WARNING, "httpx"),
        ({"openai": "1.30.0"}, Level.NOTE, "openai"),
    ],
)
def test_sdks_that_are_not_recorded_or_were_not_tried(versions: Mapping[str, str], level: Level, where: str) -> None:
    (finding,) = sdk_findings(Installed(versions))
    assert (finding.level, finding.where) == (level, where)


def test_sdks_that_were_tried_are_not_mentioned() -> None:
    assert sdk_findings(Installed({**OLDEST_TRIED, "httpx": "0.28.1", "websockets": "15.0"} | {"openai": "3.52.0"})) == [
        Finding(
            Level.NOTE,
            "websockets",
            "realtime and live sessions of SDKs go through it and are not recorded; plain and streamed calls are",
        )
    ]


def test_the_oldest_versions_tried_are_those_of_the_compatibility_page() -> None:
    page = (Path(__file__).parents[1] / "docs" / "compatibility.md").read_text()
    tried: dict[str, list[tuple[int, ...]]] = {}
    for name, version in re.findall(r"^\| ([\w-]+) \| (\d[\d.]+)", page, re.MULTILINE):
        tried.setdefault(name, []).append(tuple(map(int, version.split("."))))
    assert {name: ".".join(map(str, min(tried[name]))) for name in OLDEST_TRIED} == OLDEST_TRIED
    assert tried.keys() - OLDEST_TRIED.keys() == {"httpx", "httpx2"}


@pytest.mark.parametrize(
    ("versions", "where", "what"),
    [
        (
            {"opentelemetry-instrumentation-genai-openai": "1.3b0"},
            "opentelemetry-instrumentation-genai-openai",
            f"also records LLM calls (official); {ADDED_TO}",
        ),
        (
            {"openinference-instrumentation-openai": "0.1", "openinference-instrumentation": "0.1"},
            "openinference-instrumentation-openai",
            f"also records LLM calls (OpenInference); {LEFT_ALONE}",
        ),
        (
            {"opentelemetry-instrumentation-anthropic": "0.62.4"},
            "opentelemetry-instrumentation-anthropic",
            f"also records LLM calls (OpenLLMetry); {ADDED_TO}",
        ),
        ({"logfire": "4.0"}, "logfire", f"also records LLM calls (if its instrument_* functions are used); {ADDED_TO}"),
        (
            {"anthropic": "2.11.0"},
            "anthropic",
            f"also records LLM calls (by itself, unless ANTHROPIC_OPEN_TELEMETRY=false); {ADDED_TO}",
        ),
        (
            {"langfuse": "5.0.4", "openai": "3.52.0"},
            "langfuse.openai",
            f"also records LLM calls (if the application imports openai from it); {ADDED_TO}",
        ),
    ],
)
def test_who_else_records_calls(versions: Mapping[str, str], where: str, what: str) -> None:
    assert double_findings(Installed(versions)) == [Finding(Level.NOTE, where, what)]


def test_others_that_record_no_calls_are_not_mentioned() -> None:
    quiet = (
        "opentelemetry-instrumentation",
        "opentelemetry-instrumentation-httpx",
        "openinference-instrumentation",
        "langfuse",
    )
    assert double_findings(Installed(dict.fromkeys(quiet, "1.0"), {"httpx": ("opentelemetry-instrumentation-httpx",)})) == []


def test_an_sdk_that_several_packages_instrument() -> None:
    both = ("openinference-instrumentation-openai", "opentelemetry-instrumentation-genai-openai")
    *_, finding = double_findings(Installed(dict.fromkeys(both, "1.0"), {"openai": both}))
    assert finding == Finding(
        Level.WARNING,
        "openai",
        f"is instrumented by 2 packages: {', '.join(both)}. Destinations of otel-llm get each call once; "
        "other exporters get it from each",
        "Keep one of them, or disable them all by OTEL_PYTHON_DISABLED_INSTRUMENTATIONS=openai",
    )


def test_what_is_installed_here_is_found() -> None:
    installed = read_installed()
    assert installed.release("httpx") is not None
    assert "otel-llm" in installed.versions
    assert installed.instrumentors["otel_llm"] == ("otel-llm",)


def test_prices(environment: pytest.MonkeyPatch, tmp_path: Path) -> None:
    note_unpriced("house", "house-1")
    listed, unpriced = price_findings(Installed({"genai-prices": "0.2.3"}))
    assert listed == Finding(Level.OK, "prices", "genai-prices 0.2.3")
    assert (unpriced.level, unpriced.where) == (Level.WARNING, "prices")
    assert unpriced.what.startswith("house house-1 has no price (last seen 20")

    environment.setenv("OTEL_LLM_PRICES", str(tmp_path / "missing.toml"))
    missing, own, _ = price_findings(Installed({}))
    assert (missing.level, missing.do) == (Level.WARNING, "pip install 'otel-llm[prices]'")
    assert (own.level, own.where) == (Level.FAULT, "OTEL_LLM_PRICES")


def test_a_state_directory_that_can_be_used(tmp_path: Path) -> None:
    fine = [Finding(Level.OK, "state directory", "its files can be written")]
    assert state_findings() == fine
    assert list(tmp_path.iterdir()) == []
    LocalStore().send([], timeout_s=1)
    assert state_findings() == fine


@pytest.mark.parametrize("kind", ["file", "writable by all", "link"])
def test_a_state_directory_that_cannot_be_used(tmp_path: Path, kind: str) -> None:
    directory = tmp_path / "state"
    if kind == "file":
        directory.write_text("")
    elif kind == "link":
        (tmp_path / "elsewhere").mkdir()
        directory.symlink_to(tmp_path / "elsewhere")
    else:
        directory.mkdir()
        directory.chmod(0o777)
    (finding,) = state_findings()
    assert (finding.level, finding.where) == (Level.WARNING, "state directory")
    assert str(directory) in finding.what


def test_state_that_is_not_to_be_kept(environment: pytest.MonkeyPatch) -> None:
    environment.setenv("OTEL_LLM_STATE_DIR", "none")
    (finding,) = state_findings()
    assert (finding.level, finding.where) == (Level.NOTE, "OTEL_LLM_STATE_DIR")


def test_a_local_store_of_another_program(tmp_path: Path) -> None:
    (tmp_path / "state").mkdir(mode=0o700)
    (tmp_path / "state" / "traces.sqlite3").write_bytes(b"something else " * 500)
    (finding,) = state_findings()
    assert (finding.level, finding.where) == (Level.WARNING, "local store")
