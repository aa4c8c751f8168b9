"""Delivery across a fork, in a process of its own: forking the test process would take its threads along."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

pytestmark = pytest.mark.skipif(not hasattr(os, "fork"), reason="the platform has no fork")

PRELUDE = """
import multiprocessing, os, sys, threading
from opentelemetry.sdk.trace import ReadableSpan
from otel_llm.delivery import Delivered, Limits
from otel_llm.delivery.queue import Delivery

class Printing:
    name, limits = "printing", Limits()
    def encode(self, span):
        return span.name.encode()
    def send(self, records, *, timeout_s):
        os.write(1, b"".join(b"%s delivers %s\\n" % (who, record) for record in records))
        return Delivered()
    def close(self):
        pass

def offer(name):
    delivery.offer(ReadableSpan(name))

who = b"parent"
delivery = Delivery(Printing(), linger_s=30)
"""


def output(script: str) -> list[str]:
    done = subprocess.run(
        [sys.executable, "-W", "ignore::DeprecationWarning", "-c", PRELUDE + script],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")
    return done.stdout.splitlines()


def test_the_parent_delivers_what_it_took_and_the_child_what_it_took() -> None:
    script = """
offer("before")
child = os.fork()
if child == 0:
    who = b"child"
    assert delivery.stats.received == 0
    offer("in child")
    assert delivery.flush(30)
    assert delivery.stats.delivered == 1
    os._exit(0)
assert os.waitpid(child, 0)[1] == 0
offer("after")
assert delivery.shutdown(30)
"""
    assert output(script) == ["child delivers in child", "parent delivers before", "parent delivers after"]


def test_a_fork_during_an_offer_leaves_no_lock_held_in_the_child() -> None:
    script = """
holding, release = threading.Event(), threading.Event()
def hold():
    with delivery._intake._lock:
        holding.set()
        release.wait()
threading.Thread(target=hold).start()
holding.wait()
child = os.fork()
if child == 0:
    who = b"child"
    offer("in child")
    assert delivery.flush(30)
    os._exit(0)
assert os.waitpid(child, 0)[1] == 0
release.set()
"""
    assert output(script) == ["child delivers in child"]


def test_a_child_of_multiprocessing_delivers_before_it_ends() -> None:
    """It leaves by os._exit(), so neither atexit functions nor the tracer provider's shutdown run."""
    script = """
offer("before")
def work():
    global who
    who = b"child"
    offer("in child")
child = multiprocessing.get_context("fork").Process(target=work)
child.start()
child.join()
assert child.exitcode == 0
assert delivery.shutdown(30)
"""
    assert output(script) == ["child delivers in child", "parent delivers before"]


def test_a_delivery_that_was_shut_down_stays_so_in_the_child() -> None:
    script = """
delivery.shutdown()
child = os.fork()
if child == 0:
    assert not delivery.offer(ReadableSpan("in child"))
    os._exit(0)
assert os.waitpid(child, 0)[1] == 0
"""
    assert output(script) == []
