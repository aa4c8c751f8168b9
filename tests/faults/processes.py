"""The processes of a case, as the tests see them."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from faults.scale import FULL, SCALE

HERE = Path(__file__).resolve().parent
DESTINATIONS = ("langfuse", "insforge")
#: Seconds after which a process that does not answer is ended; generous, for machines with much else to do.
PATIENCE_S = 60.0 if SCALE is not FULL else 600.0


@dataclass(frozen=True)
class Ended:
    """A span that has ended, as its application wrote it down."""

    ids: Mapping[str, str]
    at_ns: int
    process: int


class Conversation:
    """A process that takes commands on its input and answers on its output, each a line of JSON."""

    def __init__(self, arguments: list[str], environment: Mapping[str, str], errors: Path) -> None:
        self.errors = errors
        with errors.open("ab") as file:
            self.process = subprocess.Popen(
                arguments,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=file,
                text=True,
                env={**os.environ, **environment},
                start_new_session=True,
            )

    def say(self, **command: Any) -> None:
        """Give a command, without waiting for the answer."""
        assert self.process.stdin is not None
        self.process.stdin.write(json.dumps(command) + "\n")
        self.process.stdin.flush()

    def hear(self) -> Any:
        """The next answer."""
        assert self.process.stdout is not None
        watchdog = threading.Timer(PATIENCE_S, self._kill_all)
        watchdog.start()
        line = self.process.stdout.readline()
        watchdog.cancel()
        assert line, f"the process has ended: {self.errors.read_text()[-3000:]}"
        return json.loads(line)

    def ask(self, **command: Any) -> Any:
        """Give a command and wait for the answer."""
        self.say(**command)
        return self.hear()

    def _kill_all(self) -> None:
        """With its children, who hold its pipes open."""
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.process.pid, signal.SIGKILL)

    def wait(self) -> int:
        """Its exit status, once it has ended."""
        return self.process.wait(PATIENCE_S)

    def stop(self) -> None:
        """Kill it if it lives, and let go of its pipes."""
        self._kill_all()
        self.process.wait()
        for pipe in (self.process.stdin, self.process.stdout):
            with contextlib.suppress(BrokenPipeError):
                pipe.close()  # type: ignore[union-attr]


class Backend(Conversation):
    """The destinations on loopback."""

    def __init__(self, errors: Path) -> None:
        super().__init__([sys.executable, str(HERE / "backend.py")], {}, errors)
        self.ports: dict[str, int] = self.hear()

    def behave(self, mode: str, *destinations: str, delay_s: float = 0.0) -> None:
        """Have all (or these) destinations answer in this way from now on; the modes are told in backend.py."""
        self.ask(set={name: {"mode": mode, "delay_s": delay_s} for name in destinations or DESTINATIONS})

    def counts(self) -> dict[str, Any]:
        """What has arrived, by destination."""
        found: dict[str, Any] = self.ask(count=True)
        return found

    def seen(self, destination: str) -> list[str]:
        """The ids that have arrived, in order."""
        found: list[str] = self.ask(seen=destination)
        return found


class World:
    """A backend, a spool, and the applications that use them."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.spool = directory / "spool"
        self.ids = directory / "ids"
        self.errors = directory / "errors"
        self.ids.touch()
        self.backend = Backend(directory / "backend-errors")
        self._conversations: list[Conversation] = [self.backend]

    @property
    def environment(self) -> dict[str, str]:
        """What an application's environment says of its destinations and its spool."""
        return {
            "LANGFUSE_PUBLIC_KEY": "pk-lf-faults",
            "LANGFUSE_SECRET_KEY": "sk-lf-faults",
            "LANGFUSE_BASE_URL": f"http://127.0.0.1:{self.backend.ports['langfuse']}",
            "INSFORGE_BASE_URL": f"http://127.0.0.1:{self.backend.ports['insforge']}",
            "INSFORGE_API_KEY": "ik_faults",
            "OTEL_LLM_SPOOL_DIR": str(self.spool),
            "FAULTS_IDS": str(self.ids),
            "PYTHONPATH": os.pathsep.join([str(HERE), *filter(None, [os.environ.get("PYTHONPATH")])]),
            "PYTHONWARNINGS": "default",
        }

    def converse(self, arguments: list[str]) -> Conversation:
        """Start a process in this environment."""
        self._conversations.append(Conversation(arguments, self.environment, self.errors))
        return self._conversations[-1]

    def application(self, *, stock: bool = False, prefix: tuple[str, ...] = ()) -> Conversation:
        """Start an application and wait until it is ready. ``prefix`` is a command that starts it."""
        program = [sys.executable, str(HERE / "application.py"), str(self.ids), *(["--stock"] if stock else [])]
        started = self.converse([*prefix, *program])
        assert started.hear() == {"ready": True}
        return started

    def deliver_the_rest(self) -> float:
        """What the next process does when all is well: it delivers what is left. Seconds that took."""
        self.backend.behave("ok")
        following = self.application()
        answer = following.ask(do="drain", timeout_s=PATIENCE_S)
        assert answer["left"] == 0
        end(following)
        return float(answer["seconds"])

    def ended(self) -> list[Ended]:
        """All spans that have ended in any application."""
        rows = (line.split() for line in self.ids.read_text().splitlines())
        return [Ended(dict(zip(DESTINATIONS, row[:2], strict=True)), int(row[2]), int(row[3])) for row in rows if len(row) == 4]

    def lost(self) -> dict[str, list[Ended]]:
        """Spans that have ended and not arrived, by destination."""
        ended = self.ended()
        seen = {name: set(self.backend.seen(name)) for name in DESTINATIONS}
        return {name: [span for span in ended if span.ids[name] not in seen[name]] for name in DESTINATIONS}

    def assert_nothing_is_lost(self) -> None:
        """Each span that has ended has arrived everywhere, and is one observation and one row there."""
        assert {name: len(lost) for name, lost in self.lost().items()} == {"langfuse": 0, "insforge": 0}
        self.assert_no_span_is_two()

    def assert_no_span_is_two(self) -> None:
        """No span has arrived with two start times or types."""
        assert {name: found["conflicts"] for name, found in self.backend.counts().items()} == {"langfuse": 0, "insforge": 0}

    def assert_the_application_saw_nothing(self) -> None:
        """No exception reached it, nor its output."""
        assert "Traceback" not in self.errors.read_text()

    def stop(self) -> None:
        """End whatever still runs."""
        for conversation in self._conversations:
            conversation.stop()


@contextlib.contextmanager
def world(directory: Path) -> Iterator[World]:
    """A world that ends with the case."""
    made = World(directory)
    try:
        yield made
    finally:
        made.stop()


def end(application: Conversation, how: str = "return") -> float:
    """Have an application leave; seconds that took."""
    begin = application.ask(do="end", how=how)["at"]
    application.wait()
    return round(time.monotonic() - float(begin), 2)


def kill(application: Conversation) -> int:
    """Kill an application at once; when, in nanoseconds since 1970."""
    application.process.send_signal(signal.SIGKILL)
    at_ns = time.time_ns()
    application.wait()
    return at_ns
