"""Scores: what they are of, what they may say, and how they travel with the spans."""

from __future__ import annotations

import json
import logging
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from typing import Any

import pytest
from application import application, settings_for
from opentelemetry import trace
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.trace import format_span_id, format_trace_id

import otel_llm
from otel_llm.delivery import Delivered, Outcome, Pause, Reject, Retry, Split
from otel_llm.delivery.exporter import DestinationExporter
from otel_llm.errors import ConfigurationError
from otel_llm.testing.langfuse import FakeLangfuse
from otel_llm.testing.server import Request, Response
from otel_llm.tracing import tracer
from otel_llm_langfuse import LangfuseDestination, annotate, feedback, score, score_trace
from otel_llm_langfuse.score_records import MARK

TRACE, OBSERVATION = "0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331"
MOMENT, MOMENT_US = datetime(2026, 9, 21, 14, 13, 20, tzinfo=UTC), 1_790_000_000_000_000


@pytest.fixture(params=["4.16.0", "4.59.0"])
def version(request: pytest.FixtureRequest) -> str:
    """A server of each form of the scores endpoint."""
    return str(request.param)


@pytest.fixture
def langfuse(version: str) -> Iterator[FakeLangfuse]:
    with FakeLangfuse(version=version) as server:
        yield server
    assert server.failures == []


@pytest.fixture
def app(langfuse: FakeLangfuse) -> Iterator[DestinationExporter]:
    with application(langfuse) as exporter:
        yield exporter


newer = pytest.mark.parametrize("version", ["4.59.0"])


def test_a_score_of_the_current_observation(app: DestinationExporter, langfuse: FakeLangfuse) -> None:
    with otel_llm.agent("strategist") as span:
        score_id = score("helpful", 0.9, comment="to the point", metadata={"by": ["rule", 7]}, timestamp=MOMENT)
    app.force_flush()
    assert langfuse.scores == [
        {
            "id": score_id,
            "trace_id": format_trace_id(span.get_span_context().trace_id),
            "observation_id": format_span_id(span.get_span_context().span_id),
            "name": "helpful",
            "value": 0.9,
            "data_type": "NUMERIC",
            "source": "API",
            "comment": "to the point",
            "metadata": {"by": ["rule", 7]},
            "environment": "staging",
            "timestamp": MOMENT_US,
        }
    ]
    assert [row["id"] for row in langfuse.observations] == [langfuse.scores[0]["observation_id"]]


@newer
def test_a_span_that_is_no_observation_stands_for_the_nearest_above_it(
    app: DestinationExporter, langfuse: FakeLangfuse
) -> None:
    with otel_llm.agent("strategist") as agent, tracer().start_as_current_span("SELECT"):
        score("helpful", True)
    app.force_flush()
    assert [row["observation_id"] for row in langfuse.scores] == [format_span_id(agent.get_span_context().span_id)]


@newer
def test_outside_of_all_observations_the_trace_is_scored(app: DestinationExporter, langfuse: FakeLangfuse) -> None:
    with tracer().start_as_current_span("GET /") as request:
        score("helpful", True)
    app.force_flush()
    (row,) = langfuse.scores
    assert (row["trace_id"], row.get("observation_id")) == (format_trace_id(request.get_span_context().trace_id), None)


@newer
def test_a_score_of_the_current_trace(app: DestinationExporter, langfuse: FakeLangfuse) -> None:
    with otel_llm.agent("strategist"):
        score_trace("helpful", "very")
    app.force_flush()
    (row,) = langfuse.scores
    assert ("observation_id" in row, row["value"], row["data_type"]) == (False, "very", "CATEGORICAL")


@newer
@pytest.mark.parametrize(
    ("given", "stored"),
    [
        ({"trace_id": TRACE}, {"trace_id": TRACE}),
        ({"trace_id": int(TRACE, 16)}, {"trace_id": TRACE}),
        ({"trace_id": TRACE.upper()}, {"trace_id": TRACE}),
        ({"trace_id": TRACE, "observation_id": OBSERVATION}, {"trace_id": TRACE, "observation_id": OBSERVATION}),
        ({"session_id": "s1"}, {"session_id": "s1"}),
    ],
)
def test_what_is_scored_can_be_named(
    app: DestinationExporter, langfuse: FakeLangfuse, given: dict[str, Any], stored: dict[str, str]
) -> None:
    score("helpful", 1, **given)
    app.force_flush()
    (row,) = langfuse.scores
    assert {name: row[name] for name in ("trace_id", "observation_id", "session_id") if name in row} == stored


@newer
@pytest.mark.parametrize(
    ("value", "data_type", "stored"),
    [
        (True, None, (True, "BOOLEAN")),
        (0, "BOOLEAN", (False, "BOOLEAN")),
        (3, None, (3, "NUMERIC")),
        ("good", None, ("good", "CATEGORICAL")),
        ("a longer remark", "TEXT", ("a longer remark", "TEXT")),
        ("it is 42", "CORRECTION", ("it is 42", "CORRECTION")),
    ],
)
def test_types_of_values(
    app: DestinationExporter, langfuse: FakeLangfuse, value: Any, data_type: Any, stored: tuple[Any, str]
) -> None:
    score("helpful", value, trace_id=TRACE, data_type=data_type)
    app.force_flush()
    assert [(row["value"], row["data_type"]) for row in langfuse.scores] == [stored]


@pytest.mark.parametrize("version", ["4.59.0"])
@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"value": float("nan")}, "NUMERIC takes a finite number, not float"),
        ({"value": True, "data_type": "NUMERIC"}, "NUMERIC takes a finite number, not bool"),
        ({"value": 2, "data_type": "BOOLEAN"}, "BOOLEAN takes True or False, not int"),
        ({"value": None}, "NUMERIC takes a finite number, not NoneType"),
        ({"value": ""}, "CATEGORICAL takes a text that is not empty"),
        ({"value": "x" * 501, "data_type": "TEXT"}, "at most 500 characters, this one has 501"),
        ({"value": 1, "data_type": "STARS"}, "data_type must be one of NUMERIC"),
        ({"value": 1, "name": " "}, "a score needs a name"),
        ({"value": 1, "session_id": "s"}, "give session_id alone"),
        ({"value": 1, "trace_id": ""}, "'' is no id"),
        ({"value": 1, "timestamp": datetime(2026, 1, 1)}, "needs a time zone"),
        ({"value": 1, "metadata": {"x": object()}}, "must be values of JSON"),
    ],
)
def test_a_score_that_says_nonsense_is_refused_at_once(app: DestinationExporter, given: dict[str, Any], message: str) -> None:
    arguments = {"name": "helpful", "trace_id": TRACE, **given}
    with pytest.raises(ValueError, match=message):
        score(arguments.pop("name"), arguments.pop("value"), **arguments)


@newer
def test_without_a_trace_there_is_nothing_to_score(app: DestinationExporter) -> None:
    for call in (lambda: score("helpful", 1), lambda: score_trace("helpful", 1), lambda: feedback(True)):
        with pytest.raises(ValueError, match="there is no current trace"):
            call()


def test_without_a_delivery_to_langfuse_it_says_what_to_do() -> None:
    with pytest.raises(ConfigurationError, match=r"call otel_llm\.configure"):
        score("helpful", 1, trace_id=TRACE)


def test_with_telemetry_disabled_nothing_happens(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OTEL_SDK_DISABLED", "true")
    assert score("helpful", 1)
    assert score("helpful", 1, trace_id=TRACE)


@newer
def test_scores_of_a_trace_that_is_not_sampled_are_not_sent(app: DestinationExporter, langfuse: FakeLangfuse) -> None:
    context = trace.SpanContext(int(TRACE, 16), int(OBSERVATION, 16), is_remote=False, trace_flags=trace.TraceFlags(0))
    with trace.use_span(trace.NonRecordingSpan(context)):
        score("helpful", 1)
    app.force_flush()
    assert langfuse.scores == []


@newer
def test_scores_of_a_trace_that_langfuse_does_not_get_are_not_sent(langfuse: FakeLangfuse) -> None:
    with application(langfuse, sample_rate=0.5) as app:
        score("helpful", 1, trace_id="f" * 32)
        score("helpful", 1, trace_id="1" * 32)
        score("helpful", 1, session_id="s1")
        app.force_flush()
        assert [row.get("trace_id") for row in langfuse.scores] == ["1" * 32, None]
        assert app.stats.skipped == 1


def test_a_score_that_is_given_again_replaces_the_one_before(app: DestinationExporter, langfuse: FakeLangfuse) -> None:
    first = score("helpful", 0.1, trace_id=TRACE)
    app.force_flush()
    again = score("helpful", 0.7, trace_id=TRACE)
    app.force_flush()
    assert first == again
    assert [row["value"] for row in langfuse.scores] == [0.7]


@newer
def test_the_id_depends_on_what_is_scored_and_on_the_name(app: DestinationExporter) -> None:
    ids = {
        score("helpful", 1, trace_id=TRACE),
        score("polite", 1, trace_id=TRACE),
        score("helpful", 1, trace_id=TRACE, observation_id=OBSERVATION),
        score("helpful", 1, session_id=TRACE),
        score("helpful", 1, trace_id=TRACE, score_id="mine"),
    }
    assert len(ids) == 5
    assert "mine" in ids


@newer
def test_a_score_goes_to_the_project_of_the_current_span_or_of_the_settings(langfuse: FakeLangfuse) -> None:
    with FakeLangfuse(public_key="pk-lf-acme", version="4.59.0") as other, application(langfuse) as app:  # noqa: SIM117
        with application(other, project="acme") as second:
            with otel_llm.identify(project="acme"), otel_llm.agent("strategist"):
                score("helpful", 1)
            score("polite", 1, trace_id=TRACE)
            score("brief", 1, trace_id=TRACE, settings=settings_for(other))
            annotate(outcome="won", trace_id=TRACE, settings=settings_for(other))
            app.force_flush()
            second.force_flush()
            assert [row["name"] for row in langfuse.scores] == ["polite"]
            assert [row["name"] for row in other.scores] == ["helpful", "brief"]
            assert [row["name"] for row in other.observations] == ["invoke_agent strategist", "annotation"]
            assert langfuse.observations == []


@newer
def test_settings_say_which_of_several_projects(langfuse: FakeLangfuse) -> None:
    with FakeLangfuse(public_key="pk-lf-other", version="4.59.0") as other, application(langfuse) as app:  # noqa: SIM117
        with application(other) as second:
            score("helpful", 1, trace_id=TRACE, settings=settings_for(other))
            app.force_flush()
            second.force_flush()
            assert ([row["name"] for row in langfuse.scores], [row["name"] for row in other.scores]) == ([], ["helpful"])
            with pytest.raises(ConfigurationError, match="the project of key pk-lf-none"):
                score("helpful", 1, trace_id=TRACE, settings=settings_for(other, public_key="pk-lf-none"))


def test_a_score_waits_out_an_outage(app: DestinationExporter, langfuse: FakeLangfuse) -> None:
    langfuse.stop()
    with otel_llm.agent("strategist"):
        score("helpful", 1)
    assert not app.force_flush(200)
    langfuse.start()
    app.force_flush()
    assert (len(langfuse.observations), len(langfuse.scores)) == (1, 1)


class Batch:
    """Records of scores, and of one span, held back from the delivery to be sent by hand."""

    def __init__(self, app: DestinationExporter) -> None:
        assert isinstance(app.delivery.destination, LangfuseDestination)
        self.destination = app.delivery.destination
        self.encoded: list[bytes] = []
        self._encode = self.destination.encode
        # A span that has waited for long is deferred instead of encoded, and no less held back.
        self.destination.encode = self.destination.defer = self._keep  # type: ignore[method-assign]

    def _keep(self, span: ReadableSpan) -> bytes | None:
        record = self._encode(span)
        self.encoded += [record] if record is not None else []
        return None

    def send(self, records: Sequence[bytes]) -> Outcome:
        return self.destination.send(records, timeout_s=5)


@pytest.fixture
def batch(app: DestinationExporter) -> Batch:
    """A span, a good score, one whose text is too long, and another good one."""
    made = Batch(app)
    with otel_llm.agent("strategist"):
        pass
    score("first", 1, trace_id=TRACE, timestamp=MOMENT)
    score("bad", "secret remark", trace_id=TRACE, comment="my comment", timestamp=MOMENT)
    score("second", 1, trace_id=TRACE, timestamp=MOMENT)
    app.force_flush()
    made.encoded[2] = made.encoded[2].replace(b"secret remark", b"x" * 501).replace(b"CATEGORICAL", b"TEXT")
    return made


def names(langfuse: FakeLangfuse) -> list[str]:
    return [row["name"] for row in langfuse.scores]


@newer
def test_a_record_of_a_score_is_marked_json(batch: Batch) -> None:
    span, first, *_ = batch.encoded
    assert span.startswith(b"\x0a")
    assert first.startswith(MARK)
    assert json.loads(first[1:]) == {
        "id": json.loads(first[1:])["id"],
        "traceId": TRACE,
        "name": "first",
        "value": 1,
        "dataType": "NUMERIC",
        "timestamp": "2026-09-21T14:13:20.000Z",
    }


def test_spans_and_scores_go_together(batch: Batch, langfuse: FakeLangfuse) -> None:
    span, first, _, second = batch.encoded
    assert batch.send([span, first, second]) == Delivered()
    assert (len(langfuse.observations), names(langfuse)) == (1, ["first", "second"])


@pytest.mark.parametrize("version", ["4.16.0"])
def test_one_refused_score_is_split_from_the_others_which_are_not_sent_again(batch: Batch, langfuse: FakeLangfuse) -> None:
    outcome = batch.send(batch.encoded)
    assert isinstance(outcome, Split)
    assert outcome.reason == "Invalid request data; value: expected 1 to 500 characters"
    requests, posts = len(langfuse.requests), names(langfuse)
    assert batch.send(batch.encoded[:2]) == Delivered()
    assert batch.send(batch.encoded[2:]) == Split(outcome.reason)
    assert batch.send(batch.encoded[2:3]) == Reject(outcome.reason)
    assert batch.send(batch.encoded[3:]) == Delivered()
    assert (len(langfuse.requests), names(langfuse)) == (requests, posts)


@newer
def test_refused_scores_of_an_array_are_counted_and_logged_without_their_comments(
    batch: Batch, langfuse: FakeLangfuse, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.WARNING, "otel_llm_langfuse"):
        assert batch.send(batch.encoded) == Delivered()
    assert (names(langfuse), batch.destination.scores.api.refused) == (["first", "second"], 1)
    assert [record.getMessage() for record in caplog.records] == [
        "langfuse: 1 score(s) refused, not sent again: value: expected 1 to 500 characters. 1 in all so far."
    ]


@newer
def test_a_reason_does_not_quote_the_comment(batch: Batch, langfuse: FakeLangfuse) -> None:
    answer = {"accepted": 0, "rejected": 1, "errors": [{"message": "bad: my comment"}]}
    langfuse.behaviour = lambda request: Response.json(answer, 207) if request.path == "/api/public/scores" else None
    assert batch.send(batch.encoded[2:3]) == Reject("bad: ...")


@pytest.mark.parametrize(
    ("status", "outcome"),
    [(429, Retry("Langfuse answered 429", 7.0)), (500, Retry("Langfuse answered 500", 7.0))],
)
def test_spans_are_not_sent_again_because_of_scores(batch: Batch, langfuse: FakeLangfuse, status: int, outcome: Retry) -> None:
    span, first, *_ = batch.encoded
    langfuse.behaviour = lambda request: Response.json({}, status, {"Retry-After": "7"}) if _is_scores(request) else None
    assert batch.send([span, first]) == outcome
    langfuse.behaviour = None
    assert batch.send([span, first]) == Delivered()
    assert (len(langfuse.requests), names(langfuse)) == (1, ["first"])


def test_scores_wait_for_the_spans_before_them(batch: Batch, langfuse: FakeLangfuse) -> None:
    span, first, *_ = batch.encoded
    langfuse.fail_next(503)
    assert batch.send([span, first]) == Retry("Langfuse answered 503")
    assert names(langfuse) == []
    assert batch.send([span, first]) == Delivered()
    assert (len(langfuse.observations), names(langfuse)) == (1, ["first"])


def test_a_server_without_scores_does_not_hold_up_the_spans(batch: Batch, langfuse: FakeLangfuse) -> None:
    span, first, *_ = batch.encoded
    langfuse.behaviour = lambda request: Response.json({}, 404) if _is_scores(request) else None
    assert batch.send([first]) == Reject("Langfuse answered 404 to a score")
    assert batch.send([span]) == Delivered()


def test_wrong_keys_pause(batch: Batch, langfuse: FakeLangfuse) -> None:
    langfuse.secret_key = "sk-lf-new"
    assert isinstance(batch.send(batch.encoded[1:2]), Pause)


def test_the_version_is_asked_for_once_and_again_when_the_server_has_another(batch: Batch, langfuse: FakeLangfuse) -> None:
    asked: list[str] = []
    langfuse.behaviour = lambda request: asked.append(request.path)
    batch.send(batch.encoded[1:2])
    batch.send(batch.encoded[3:4])
    assert asked.count("/api/public/health") == 1


@newer
def test_a_server_that_was_replaced_by_an_older_one_gets_its_own_form(batch: Batch, langfuse: FakeLangfuse) -> None:
    _, first, _, second = batch.encoded
    batch.send([first])
    langfuse.version = "4.16.0"
    assert isinstance(batch.send([second, first]), Split)
    assert batch.send([second]) == Delivered()
    assert names(langfuse) == ["first", "second"]


@newer
def test_a_server_that_does_not_tell_its_version_is_taken_for_a_new_one(batch: Batch, langfuse: FakeLangfuse) -> None:
    langfuse.behaviour = lambda request: Response.json({}, 404) if request.path == "/api/public/health" else None
    assert batch.send(batch.encoded[1:2]) == Delivered()
    assert names(langfuse) == ["first"]


@pytest.mark.parametrize("version", ["4.16.0"])
def test_a_passing_fault_of_one_event_is_tried_again(batch: Batch, langfuse: FakeLangfuse) -> None:
    def half(request: Request) -> Response | None:
        if request.path != "/api/public/ingestion":
            return None
        first, second = (event["id"] for event in request.json()["batch"])
        return Response.json({"successes": [{"id": first}], "errors": [{"id": second, "status": 500}]}, 207)

    langfuse.behaviour = half
    _, first, _, second = batch.encoded
    assert batch.send([first, second]) == Retry("Langfuse could not take some scores")
    langfuse.behaviour = None
    assert batch.send([first, second]) == Delivered()
    assert names(langfuse) == ["second"]


def _is_scores(request: Request) -> bool:
    return request.path in ("/api/public/scores", "/api/public/ingestion")


@newer
def test_a_score_finds_the_delivery_of_configure(langfuse: FakeLangfuse) -> None:
    provider = otel_llm.configure(
        destinations=[LangfuseDestination(settings_for(langfuse))], tracer_provider=TracerProvider(shutdown_on_exit=False)
    )
    try:
        with otel_llm.agent("strategist"):
            score("helpful", 1)
        assert otel_llm.force_flush()
        assert names(langfuse) == ["helpful"]
    finally:
        otel_llm.shutdown()
        provider.shutdown()
    with pytest.raises(ConfigurationError):
        score("helpful", 1, trace_id=TRACE)
