"""Runs each SDK of ``SDKS`` against the fake vendors and writes ``docs/compatibility.md``.

::

    python compatibility/matrix.py                # all rows, and the page
    python compatibility/matrix.py --only openai  # rows whose name begins so; shown, not written
    python compatibility/matrix.py --json         # the results as JSON instead

Needs ``uv``, which makes an environment for each row; the first run downloads the SDKs. Ends with status 1 if anything failed.
"""

from __future__ import annotations

import argparse
import json
import platform
import subprocess
import sys
import tempfile
from typing import Any

from page import page
from sdks import HERE, PAGE, SDKS, Sdk

#: Seconds for one row, with its downloads.
_PATIENCE = 600


def main() -> int:
    """Run what the command line asks for."""
    parser = argparse.ArgumentParser(description="Compatibility of SDKs with otel-llm.")
    parser.add_argument("--only", default="", help="rows whose name begins with this, such as openai or 'openai 3'")
    parser.add_argument("--json", action="store_true", help="write the results to standard output as JSON")
    chosen = parser.parse_args()
    results = [_run(sdk) for sdk in SDKS if sdk.name.startswith(chosen.only)]
    if chosen.json:
        sys.stdout.write(json.dumps(results, indent=2) + "\n")
    elif chosen.only:
        sys.stdout.write(page(results, _python()))
    else:
        PAGE.parent.mkdir(exist_ok=True)
        PAGE.write_text(page(results, _python()))
    return int(any("error" in result or _failed(result) for result in results))


def _run(sdk: Sdk) -> dict[str, Any]:
    """One row's results; ``error`` instead of cases where it could not be run."""
    row = {"name": sdk.name, "package": sdk.package, "version": sdk.version, "libraries": {}, "cases": []}
    with tempfile.TemporaryDirectory() as elsewhere:  # so that no project's settings are picked up
        try:
            done = subprocess.run(  # noqa: S603  (arguments of our own)
                _command(sdk), capture_output=True, text=True, cwd=elsewhere, timeout=_PATIENCE, check=True
            )
        except subprocess.TimeoutExpired:
            return row | {"error": f"no end within {_PATIENCE} s"}
        except subprocess.CalledProcessError as failure:
            return row | {"error": (failure.stderr.strip().splitlines() or ["no output"])[-1]}
    found: dict[str, Any] = row | json.loads(done.stdout)
    sys.stderr.write(f"{sdk.name}: {_failed(found)} of {len(found['cases'])} cases failed\n")
    return found


def _command(sdk: Sdk) -> list[str]:
    packages = [argument for requirement in sdk.requirements for argument in ("--with", requirement)]
    environment = ["--no-project", "--prerelease", "if-necessary", "--python", _python(), *packages]
    script = ["python", str(HERE / "case.py"), sdk.caller]
    return ["uv", "run", "--quiet", *environment, "--with-editable", str(HERE.parent), *script]


def _python() -> str:
    return ".".join(platform.python_version_tuple()[:2])


def _failed(result: dict[str, Any]) -> int:
    return sum(case["result"] == "failed" for case in result["cases"])


if __name__ == "__main__":
    sys.exit(main())
