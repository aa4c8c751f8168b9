"""docs/compatibility.md is what the matrix script writes, and covers all of its rows."""

import re
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
sys.path.append(str(ROOT / "compatibility"))

from page import page  # noqa: E402  (found by the line above)
from sdks import PAGE, SDKS  # noqa: E402

RESULTS = {"ok", "late", "n/a", "**failed**"}


def table(text, heading):
    """Rows of the table under a heading, each a dictionary by the table's own head."""
    section = text.partition(f"## {heading}\n")[2].partition("\n## ")[0]
    head, _, *rows = [[cell.strip() for cell in line[1:-1].split("|")] for line in section.splitlines() if line.startswith("|")]
    assert {len(row) for row in rows} == {len(head)}
    return [dict(zip(head, row, strict=True)) for row in rows]


@pytest.fixture(scope="module")
def text():
    return PAGE.read_text()


def test_every_sdk_of_the_script_is_in_the_table_sync_and_async(text):
    rows = [(row["SDK"], row["version"], row["mode"]) for row in table(text, "Every SDK")]
    about = {sdk.name: f" ({sdk.about})" if sdk.about else "" for sdk in SDKS}
    assert rows == [(sdk.package, sdk.version + about[sdk.name], mode) for sdk in SDKS for mode in ("sync", "async")]


def test_every_result_is_one_of_four(text):
    for row in table(text, "Every SDK"):
        assert set(list(row.values())[4:]) <= RESULTS, row
    for row in table(text, "Further cases"):
        assert {row["sync"], row["async"]} <= RESULTS, row


def test_every_failure_is_explained_and_counted(text):
    rows = [*table(text, "Every SDK"), *table(text, "Further cases")]
    failed = sum(list(row.values()).count("**failed**") for row in rows)
    explained = [line for line in text.partition("## What failed\n")[2].splitlines() if line.startswith("- ")]
    assert len(explained) == failed == int(re.search(r"(\d+) failed\.", text)[1])


def test_no_path_of_the_machine_is_on_the_page(text):
    assert re.findall(r"/(?:home|root|tmp|Users)/", text) == []


def test_rows_have_names_of_their_own():
    assert len({sdk.name for sdk in SDKS}) == len(SDKS)


def test_a_row_that_could_not_be_run_is_said_so():
    row = {"name": SDKS[0].name, "package": SDKS[0].package, "version": SDKS[0].version, "libraries": {}, "cases": []}
    shown = page([row | {"error": "no such | version"}], "3.11")
    assert "1 rows could not be run" in shown
    assert f"- {SDKS[0].name}: could not be run: no such / version" in shown


def test_a_failure_is_shown_as_one():
    row = {"name": SDKS[0].name, "package": SDKS[0].package, "version": SDKS[0].version}
    row["libraries"] = {"sync": "httpx", "async": "httpx"}
    row["cases"] = [
        {"case": "plain", "mode": "sync", "common": True, "result": "ok", "faults": []},
        {"case": "plain", "mode": "async", "common": True, "result": "failed", "faults": ["0 spans for 1 exchanges"]},
    ]
    shown = page([row], "3.11")
    assert [line["plain"] for line in table(shown, "Every SDK")] == ["ok", "**failed**"]
    assert f"- {SDKS[0].name}, plain, async: 0 spans for 1 exchanges" in shown
