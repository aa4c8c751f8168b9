"""A span that a destination does not take costs itself and no other."""

from __future__ import annotations

from collections.abc import Callable

from faults.processes import PATIENCE_S, World, end

from otel_llm.delivery.spool import SpoolPlace
from otel_llm.delivery.spool.inspect import Inspector

BIG_BYTES = 20_000_000


def dead_letters(world: World) -> dict[str, list[str]]:
    """Reasons by destination."""
    found: dict[str, list[str]] = {"langfuse": [], "insforge": []}
    for refusal in Inspector(SpoolPlace(world.spool)).refusals():
        name = "insforge" if str(world.backend.ports["insforge"]) in refusal.destination else "langfuse"
        found[name] += [refusal.reason] * refusal.spans
    return found


def test_one_poison_span_among_512(world: World, measured: Callable[..., None]) -> None:
    world.backend.behave("poison")
    application = world.application()
    application.ask(do="make", spans=512, poison=100)
    assert application.ask(do="flush", timeout_s=PATIENCE_S)["flushed"]
    stats = application.ask(do="stats")
    end(application)
    measured("one poison span of 512", world, remark="a dead letter at each destination")
    assert {name: len(lost) for name, lost in world.lost().items()} == {"langfuse": 1, "insforge": 1}
    assert dead_letters(world) == {
        "langfuse": ["Langfuse answered 400: a span in the batch is malformed"],
        "insforge": ["a row was refused (status 400, 22P02)"],
    }
    assert [stats[name]["rejected"] for name in ("langfuse", "insforge")] == [1, 1]
    world.assert_no_span_is_two()


def test_a_span_of_20_mb_that_a_proxy_refuses(world: World, measured: Callable[..., None]) -> None:
    world.backend.behave("limit")
    application = world.application()
    application.ask(do="make", spans=512, big=100, big_bytes=BIG_BYTES)
    assert application.ask(do="flush", timeout_s=PATIENCE_S)["flushed"]
    stats = application.ask(do="stats")
    end(application)
    measured("one of 20 MB, refused with 413", world, peak_mib=stats["peak_mib"], remark="a dead letter; its row is small")
    assert {name: len(lost) for name, lost in world.lost().items()} == {"langfuse": 1, "insforge": 0}
    assert dead_letters(world) == {"langfuse": ["Langfuse answered 413: the batch is too large"], "insforge": []}


def test_a_span_of_20_mb_that_langfuse_takes(world: World, measured: Callable[..., None]) -> None:
    application = world.application()
    application.ask(do="make", spans=512, big=100, big_bytes=BIG_BYTES)
    assert application.ask(do="flush", timeout_s=PATIENCE_S)["flushed"]
    stats = application.ask(do="stats")
    end(application)
    measured("one of 20 MB", world, peak_mib=stats["peak_mib"])
    world.assert_nothing_is_lost()
