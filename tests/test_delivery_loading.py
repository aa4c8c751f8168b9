"""Modules that are loaded while others go on."""

from __future__ import annotations

import importlib
import itertools
import os
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from otel_llm.delivery import loading
from otel_llm.delivery.loading import loaded, why_not_loaded

LONG_S = 30.0
_numbers = itertools.count()
SLOW = """
import time
from pathlib import Path
while not Path({go!r}).exists():
    time.sleep(0.01)
done = True
"""


@pytest.fixture
def slow(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """The name of a module that is not loaded before a file is there."""
    name = f"slow_{os.getpid()}_{next(_numbers)}"
    (tmp_path / f"{name}.py").write_text(SLOW.format(go=str(tmp_path / "go")))
    monkeypatch.syspath_prepend(tmp_path)
    yield name
    sys.modules.pop(name, None)


def wait_until_loaded(name: str) -> None:
    deadline = time.monotonic() + LONG_S
    while not loaded(name):
        assert time.monotonic() < deadline
        time.sleep(0.01)


def test_who_asks_does_not_wait(slow: str, tmp_path: Path) -> None:
    assert not loaded(slow)
    assert not loaded(slow)
    (tmp_path / "go").touch()
    wait_until_loaded(slow)
    assert sys.modules[slow].done


def test_what_could_not_be_loaded_is_tried_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(loading, "_FIRST_AGAIN_S", 0.0)
    name = f"absent_{os.getpid()}_{next(_numbers)}"
    monkeypatch.syspath_prepend(tmp_path)
    assert not loaded(name)
    deadline = time.monotonic() + LONG_S
    while why_not_loaded(name) is None:
        assert time.monotonic() < deadline
        time.sleep(0.01)
    assert isinstance(why_not_loaded(name), ModuleNotFoundError)
    (tmp_path / f"{name}.py").touch()
    importlib.invalidate_caches()
    wait_until_loaded(name)
    assert why_not_loaded(name) is None


def test_what_could_not_be_loaded_is_not_tried_again_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(loading, "_FIRST_AGAIN_S", LONG_S)
    name = f"absent_{os.getpid()}_{next(_numbers)}"
    assert not loaded(name)
    deadline = time.monotonic() + LONG_S
    while why_not_loaded(name) is None or loading._loading.locked():
        assert time.monotonic() < deadline
        time.sleep(0.01)
    assert not loaded(name)
    assert not loading._loading.locked()


def test_without_a_thread_it_is_tried_again(slow: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(_: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    (tmp_path / "go").touch()
    with monkeypatch.context() as patched:
        patched.setattr(threading.Thread, "start", refuse)
        assert not loaded(slow)
    wait_until_loaded(slow)
    assert sys.modules[slow].done


FORKING = """
import os, sys, threading, time
from pathlib import Path
sys.path.insert(0, sys.argv[1])
from otel_llm.delivery import loading
from otel_llm.delivery.loading import loaded, why_not_loaded
assert not loaded(sys.argv[2])
threading.Timer(0.2, Path(sys.argv[1], "go").touch).start()
child = os.fork()
assert loaded(sys.argv[2])
assert sys.modules[sys.argv[2]].done
if child:
    assert os.waitpid(child, 0)[1] == 0
"""


def test_a_forked_child_has_the_whole_of_it(slow: str, tmp_path: Path) -> None:
    subprocess.run([sys.executable, "-c", FORKING, str(tmp_path), slow], timeout=60, check=True)
