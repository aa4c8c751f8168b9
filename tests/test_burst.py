"""A burst that the stock pipeline loses for the most part arrives whole."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

BURST = Path(__file__).resolve().parents[1] / "benchmarks" / "burst.py"


def test_2000_calls_with_a_280_kb_prompt_at_64_at_once_all_arrive() -> None:
    done = subprocess.run([sys.executable, str(BURST), "--way", "otel-llm"], capture_output=True, text=True, check=True)
    figures = json.loads(done.stdout)
    assert (figures["calls"], figures["arrived"]) == (2000, 2000)
    assert done.stderr == ""
