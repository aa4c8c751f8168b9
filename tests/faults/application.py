"""The process under test. Obeys commands, one JSON object a line, and answers each with one.

    python tests/faults/application.py IDS [--stock]

``{"do": "make", "spans": 100}`` calls the method of that name; what it is given and what it answers is told there. Where spans go is
told by the environment, as for any application; IDS is the file that gets the ids of all that have ended.
"""

from __future__ import annotations

import asyncio
import json
import multiprocessing
import os
import resource
import sys
import time
from concurrent.futures import ProcessPoolExecutor
from dataclasses import asdict
from pathlib import Path
from typing import Any, NoReturn

from load import Load
from wiring import wire

from otel_llm.lifecycle import shutdown_on_signals


class Application:
    """An application that makes spans and suffers what the tests have in mind for it."""

    def __init__(self, ids: Path, *, stock: bool) -> None:
        self._ahead_s = 0.0
        self._wired = wire(stock=stock, clock=lambda: time.monotonic() + self._ahead_s)
        self.load = Load(self._wired.provider, ids)

    def make(self, **how: Any) -> dict[str, Any]:
        """Make spans: see Load.make."""
        return self.load.make(**how)

    def flush(self, timeout_s: float) -> dict[str, Any]:
        """Wait until all is delivered."""
        begin = time.perf_counter()
        flushed = self._wired.provider.force_flush(int(timeout_s * 1000))
        return {"flushed": flushed, "seconds": round(time.perf_counter() - begin, 2)}

    def drain(self, timeout_s: float) -> dict[str, Any]:
        """Wait until nothing is left on disk, whoever left it there. The wait for a destination that was down is cut short."""
        begin = time.perf_counter()
        left = -1
        while left and time.perf_counter() - begin < timeout_s:
            left = sum(delivery.spool.counts().spans for delivery in self._wired.deliveries if delivery.spool is not None)
            time.sleep(0.05)
        return {"left": left, "seconds": round(time.perf_counter() - begin, 2)}

    def stats(self) -> dict[str, Any]:
        """What became of the spans by destination, where this process is the one that sends, and the peak of memory."""
        stats = {delivery.destination.name: asdict(delivery.stats) for delivery in self._wired.deliveries}
        spools = {delivery.destination.name: delivery.spool for delivery in self._wired.deliveries}
        leads = {name: spool is not None and spool.leads() for name, spool in spools.items()}
        return {"peak_mib": _peak_mib(), "leads": leads, **stats}

    def set_clock_back(self, seconds: float) -> dict[str, Any]:
        """Have the wall clock tell an earlier time from now on."""
        real = time.time_ns
        time.time_ns = lambda: real() - int(seconds * 1e9)
        return {}

    def let_pass(self, seconds: float) -> dict[str, Any]:
        """Have the clock of the delivery run ahead."""
        self._ahead_s += seconds
        return {}

    def limit_files(self, size: int) -> dict[str, Any]:
        """Let no file grow beyond ``size`` bytes, as a full disk does; -1: without limit."""
        resource.setrlimit(resource.RLIMIT_FSIZE, (size, resource.RLIM_INFINITY))
        return {}

    def make_in_fork(self, spans: int) -> dict[str, Any]:
        """In a child that ends by itself."""
        child = os.fork()
        if child == 0:
            self.load.make(spans)
            sys.exit()
        return {"status": os.waitpid(child, 0)[1]}

    def make_in_pool(self, spans: int) -> dict[str, Any]:
        """In children of multiprocessing."""
        with multiprocessing.get_context("fork").Pool(2) as pool:
            pool.map(_make, [spans, spans], chunksize=1)
            pool.close()
            pool.join()
        return {}

    def make_in_executor(self, spans: int) -> dict[str, Any]:
        """In children of concurrent.futures."""
        with ProcessPoolExecutor(2, mp_context=multiprocessing.get_context("fork")) as executor:
            list(executor.map(_make, [spans, spans]))
        return {}

    def serve(self) -> NoReturn:
        """Run an event loop until a signal comes."""

        async def serve() -> NoReturn:
            shutdown_on_signals()
            _answer({})
            await asyncio.Event().wait()
            raise AssertionError

        asyncio.run(serve())
        raise AssertionError

    def end(self, how: str = "return") -> dict[str, Any]:
        """Leave, in one of the ways in which processes end by themselves."""
        _answer({"at": time.monotonic()})
        if how == "raise":
            raise RuntimeError("the application has failed")
        sys.exit(0)


def _make(spans: int) -> None:
    the_application.load.make(spans)


def _peak_mib() -> int:
    """The peak of this program: the figure of getrusage() begins with that of the process that started it."""
    try:
        lines = Path("/proc/self/status").read_text().splitlines()
    except OSError:
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024
    return next(int(line.split()[1]) for line in lines if line.startswith("VmHWM")) // 1024


def _answer(answer: dict[str, Any]) -> None:
    print(json.dumps(answer), flush=True)


if __name__ == "__main__":
    the_application = Application(Path(sys.argv[1]), stock="--stock" in sys.argv)
    _answer({"ready": True})
    for line in sys.stdin:
        command = json.loads(line)
        _answer(getattr(the_application, command.pop("do"))(**command))
