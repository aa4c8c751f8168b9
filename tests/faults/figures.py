"""What is lost, by the stock pipeline and by otel-llm, on this machine: the table of the README.

    python tests/faults/figures.py [--quick] [CASE ...]

CASE: what the names of the cases to run begin with; all without any.
"stock" is OpenTelemetry's BatchSpanProcessor with its OTLP exporter, both at their defaults, sending to the same Langfuse.
"""

from __future__ import annotations

import os
import random
import signal
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
if "--quick" not in sys.argv:
    os.environ["OTEL_LLM_FAULTS"] = "full"

from faults.processes import PATIENCE_S, Conversation, World, end, kill, world
from faults.scale import SCALE
from faults.table import markdown

OUTAGES = ["refuse", "503", "500", "429", "hang", "reset", "302"]


@dataclass
class Result:
    """Of one way in one case."""

    seconds: float = 0.0
    peak_mib: int | None = None


def outage(mode: str) -> Callable[[World, Conversation], Result]:
    """Half of the load meets a destination that is down."""

    def case(of: World, application: Conversation) -> Result:
        application.say(do="make", spans=SCALE.spans, rate=SCALE.rate)
        time.sleep(SCALE.outage_from_s)
        of.backend.behave(mode)
        time.sleep(SCALE.outage_s)
        of.backend.behave("ok")
        application.hear()
        return _finished(application)

    return case


def burst(_: World, application: Conversation) -> Result:
    """As many spans as fast as can be."""
    application.ask(do="make", spans=SCALE.burst)
    return _finished(application)


def sigkill(rate: float) -> Callable[[World, Conversation], Result]:
    """A process dies without notice."""

    def case(_: World, application: Conversation) -> Result:
        application.say(do="make", spans=1_000_000, rate=rate)
        time.sleep(random.Random(rate).uniform(*SCALE.kill_after_s))
        kill(application)
        return Result()

    return case


def sigterm(_: World, application: Conversation) -> Result:
    """As a container's end is told; with otel-llm, ``shutdown_on_signals`` is on."""
    application.ask(do="make", spans=200)
    application.ask(do="serve")
    begin = time.monotonic()
    application.process.send_signal(signal.SIGTERM)
    application.wait()
    return Result(round(time.monotonic() - begin, 2))


def leave(mode: str) -> Callable[[World, Conversation], Result]:
    """A process ends while the destination is down. Seconds: until it is gone."""

    def case(of: World, application: Conversation) -> Result:
        of.backend.behave(mode)
        application.ask(do="make", spans=SCALE.queued_at_exit)
        return Result(end(application))

    return case


def pool(_: World, application: Conversation) -> Result:
    """Children of multiprocessing."""
    application.ask(do="make_in_pool", spans=200)
    return Result(end(application))


def poison(of: World, application: Conversation) -> Result:
    """One bad span among 512."""
    of.backend.behave("poison")
    application.ask(do="make", spans=512, poison=100)
    return _finished(application)


def _finished(application: Conversation) -> Result:
    """Seconds: until all is delivered or given up, from the end of the load."""
    seconds = application.ask(do="flush", timeout_s=PATIENCE_S)["seconds"]
    peak_mib = application.ask(do="stats")["peak_mib"]
    end(application)
    return Result(seconds, peak_mib)


CASES: dict[str, Callable[[World, Conversation], Result]] = {
    **{f"{mode} for {SCALE.outage_s:g} s": outage(mode) for mode in OUTAGES},
    "burst": burst,
    **{f"SIGKILL, {rate:g} spans/s": sigkill(rate) for rate in SCALE.kill_rates},
    "SIGTERM": sigterm,
    "exit, backend refuses": leave("refuse"),
    "exit, backend hangs": leave("hang"),
    "multiprocessing.Pool": pool,
    "one poison span of 512": poison,
}


def run(case: Callable[[World, Conversation], Result], *, stock: bool) -> tuple[str, str, str, str]:
    """Spans, lost at Langfuse, seconds and peak; what is on disk is delivered by a next process."""
    with tempfile.TemporaryDirectory() as directory, world(Path(directory)) as of:
        result = case(of, of.application(stock=stock))
        of.backend.behave("ok")
        if not stock:
            of.deliver_the_rest()
        peak = "" if result.peak_mib is None else str(result.peak_mib)
        return f"{len(of.ended()):,}", f"{len(of.lost()['langfuse']):,}", f"{result.seconds:g}", peak


def main() -> None:
    """Print a row as soon as it is known, and the table at the end."""
    rows = [("case", "spans", "stock lost", "ours lost", "stock s", "ours s", "stock peak MiB", "ours peak MiB")]
    chosen = tuple(name for name in sys.argv[1:] if name != "--quick")
    for name, case in CASES.items():
        if chosen and not name.startswith(chosen):
            continue
        (_, stock_lost, stock_s, stock_peak), (spans, lost, seconds, peak) = run(case, stock=True), run(case, stock=False)
        rows.append((name, spans, stock_lost, lost, stock_s, seconds, stock_peak, peak))
        print(*rows[-1], sep=" | ", file=sys.stderr, flush=True)
    print(markdown(rows))


if __name__ == "__main__":
    main()
