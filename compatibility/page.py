"""The compatibility page: results as Markdown."""

from __future__ import annotations

from typing import Any

from sdks import SDKS

#: One result of ``case.py``, with the row of ``SDKS`` it belongs to.
Result = dict[str, Any]

MODES = ("sync", "async")
_MARKS: dict[str, str] = {"ok": "ok", "not applicable": "n/a", "late": "late", "failed": "**failed**"}

_HEAD = """\
# Compatibility

Which SDKs are recorded, and how well. Written by `python compatibility/matrix.py`, which runs each row in an environment of its own
against the fake vendors of `otel_llm.testing`; change the script, not this page.

{summary}

A case is **ok** if there is exactly one span for each HTTP exchange, with the model that was asked for, the text or tool call that
was answered, the very token counts that were sent, an error where there was one and none elsewhere, and if the application got its
answer unchanged. *late*: the same, but the SDK dropped its response without closing it, so the span ended only when Python collected
the response. n/a: the SDK has no such thing, or makes no retries. Python {python}.

- *plain*, *streamed*, *tools*: one call each, answered with text, with a stream, with a tool call.
- *error*: a 429, with the SDK's own retries off. *error in stream*: HTTP says 200, then the vendor breaks off with an error.
- *retry*: a 500, then an answer, so two spans.
- HTTP library: what a plain call goes through, outermost first.
- Ollama's API is known by its host or its port 11434; elsewhere, as here, `OTEL_LLM_PROVIDER_HOSTS` has to name it.
- *client from before*: the client was made before `otel_llm.instrument()`.
"""


def page(results: list[Result], python: str) -> str:
    """The whole page."""
    cells = [case for result in results for case in result["cases"] if case["result"] != "not applicable"]
    failed = sum(case["result"] == "failed" for case in cells)
    late = sum(case["result"] == "late" for case in cells)
    broken = sum("error" in result for result in results)
    summary = f"{len(results)} rows, {len(cells)} cases: {len(cells) - failed - late} ok, {late} late, {failed} failed."
    summary += f" {broken} rows could not be run." if broken else ""
    parts = [_HEAD.format(summary=summary, python=python), *_common(results), *_further(results), *_faults(results)]
    return "\n".join(parts) + "\n"


def _common(results: list[Result]) -> list[str]:
    names = list(dict.fromkeys(case["case"] for result in results for case in result["cases"] if case["common"]))
    lines = ["## Every SDK", "", _line(["SDK", "version", "HTTP library", "mode", *names]), _rule(4 + len(names))]
    for result in results:
        if "error" in result:
            lines.append(_line([result["package"], _version(result), "?", "", *["not run"] * len(names)]))
            continue
        for mode in MODES:
            found = {case["case"]: case["result"] for case in result["cases"] if case["mode"] == mode}
            marks = [_MARKS[found[name]] for name in names]
            lines.append(_line([result["package"], _version(result), result["libraries"][mode], mode, *marks]))
    return lines


def _further(results: list[Result]) -> list[str]:
    lines = ["", "## Further cases", "", _line(["SDK", "version", "case", *MODES]), _rule(5)]
    for result in results:
        for name in dict.fromkeys(case["case"] for case in result["cases"] if not case["common"]):
            marks = {case["mode"]: _MARKS[case["result"]] for case in result["cases"] if case["case"] == name}
            lines.append(_line([result["package"], _version(result), name, *(marks[mode] for mode in MODES)]))
    return lines


def _faults(results: list[Result]) -> list[str]:
    lines = ["", "## What failed", ""]
    for result in results:
        if "error" in result:
            lines.append(f"- {result['name']}: could not be run: {_plain(result['error'])}")
        failed = [case for case in result["cases"] if case["faults"]]
        lines += [f"- {result['name']}, {case['case']}, {case['mode']}: {_plain('; '.join(case['faults']))}" for case in failed]
    return lines if len(lines) > 3 else [*lines, "Nothing."]


def _version(result: Result) -> str:
    [sdk] = [sdk for sdk in SDKS if sdk.name == result["name"]]
    return sdk.version + (f" ({sdk.about})" if sdk.about else "")


def _line(cells: list[str]) -> str:
    return f"| {' | '.join(_plain(cell) for cell in cells)} |"


def _rule(columns: int) -> str:
    return "|" + " --- |" * columns


def _plain(text: str) -> str:
    """On one line, and no part of a table."""
    return " ".join(text.split()).replace("|", "/")
