"""Runs as OpenTelemetry traces, at a collector that decodes them; and one that is not there."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest
from conftest import NODES, PaintedEngine
from live_server import BrokenEngine, Event, LiveStudio, only, png, serving, with_engine
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.trace.v1.trace_pb2 import Span, Status
from PIL import Image

from graph.context import Context
from graph.settings import Settings
from tools.imaging import ImageRequest

SECRET = "gold lobby luxury, for my aunt Rosalind"  # names the style deco


@dataclass
class Collector:
    """What an OTLP collector was sent."""

    url: str = ""
    requests: list[ExportTraceServiceRequest] = field(default_factory=list)

    @property
    def spans(self) -> list[Span]:
        return [
            span
            for request in self.requests
            for resource in request.resource_spans
            for scope in resource.scope_spans
            for span in scope.spans
        ]

    @property
    def root(self) -> Span:
        (root,) = [span for span in self.spans if not span.parent_span_id]
        return root


@contextmanager
def collecting() -> Iterator[Collector]:
    """A collector on loopback, until the block ends."""
    collector = Collector()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            assert self.path == "/v1/traces"
            body = self.rfile.read(int(self.headers["Content-Length"]))
            collector.requests.append(ExportTraceServiceRequest.FromString(body))
            self.send_response(200)
            self.end_headers()

        def log_message(self, *args: Any) -> None:
            """Keep the output of the tests clean."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        collector.url = f"http://127.0.0.1:{server.server_address[1]}"
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield collector
        finally:
            server.shutdown()
            thread.join()


def traced(context: Context, url: str, content: bool = False) -> Context:
    settings = context.settings.model_copy(update={"otlp_endpoint": url, "trace_content": content})
    return replace(context, settings=settings)


def attributes(span: Any) -> dict[str, Any]:
    found = {}
    for entry in span.attributes:
        kind = entry.value.WhichOneof("value")
        value = getattr(entry.value, kind)
        found[entry.key] = (
            [one.string_value for one in value.values] if kind == "array_value" else value
        )
    return found


def everything(collector: Collector) -> str:
    return " ".join(str(request) for request in collector.requests)


def test_a_run_is_one_trace_with_a_span_for_every_node(context: Context) -> None:
    with collecting() as collector:
        with serving(traced(context, collector.url)) as studio:
            events = studio.chat(SECRET, png(), style="auto", seed=7)
        spans = collector.spans

    run, result = only(events, "metadata"), only(events, "result")
    root = collector.root
    assert {span.trace_id.hex() for span in spans} == {run["run_id"].replace("-", "")}
    children = [span for span in spans if span is not root]
    assert {span.parent_span_id for span in children} == {root.span_id}
    assert [span.name for span in sorted(children, key=lambda s: s.start_time_unix_nano)] == NODES
    for span in children:
        assert root.start_time_unix_nano <= span.start_time_unix_nano <= span.end_time_unix_nano
        assert span.end_time_unix_nano <= root.end_time_unix_nano
        assert span.status.code == Status.STATUS_CODE_UNSET

    told = attributes(root)
    assert told["gen_ai.operation.name"] == "invoke_agent"
    assert told["gen_ai.conversation.id"] == told["session.id"] == run["thread_id"]
    assert told["gen_ai.request.seed"] == 7
    assert told["artisan.run.id"] == run["run_id"]
    assert told["artisan.status"] == "success"
    assert told["artisan.profile"] == "starter"
    assert told["artisan.styles"] == ["deco:1.00"]
    assert told["artisan.fidelity.geometry"] == result["fidelity"]["geometry"]
    for kind, name in result["versions"].items():
        assert told[f"artisan.version.{kind}"] == name
    by_name = {span.name: attributes(span) for span in children}
    assert by_name["retrieve_styles"]["openinference.span.kind"] == "RETRIEVER"
    assert by_name["generate_image"]["gen_ai.output.type"] == "image"
    (resource,) = {
        request.resource_spans[0].resource.SerializeToString() for request in collector.requests
    }
    assert b"artisan-studio" in resource


def test_what_people_wrote_stays_here_unless_it_is_wanted(context: Context) -> None:
    with collecting() as collector, serving(traced(context, collector.url)) as studio:
        studio.chat(SECRET, style="auto")
    assert collector.spans
    for word in SECRET.replace(",", "").split():
        assert word not in everything(collector)

    with collecting() as collector, serving(traced(context, collector.url, content=True)) as studio:
        studio.chat(SECRET, style="auto")
    told = attributes(collector.root)
    assert told["input.value"] == SECRET
    assert "aunt Rosalind" in told["gen_ai.input.messages"]
    assert "gold" in told["output.value"]


def test_a_failed_run_says_where_and_why(context: Context) -> None:
    with (
        collecting() as collector,
        serving(with_engine(traced(context, collector.url), BrokenEngine())) as studio,
    ):
        events = studio.chat("ink", style="none")
    assert only(events, "error")["code"] == "internal"
    failed = {s.name for s in collector.spans if s.status.code == Status.STATUS_CODE_ERROR}
    assert failed == {collector.root.name, "generate_image"}
    assert attributes(collector.root)["error.type"] == "internal"
    assert "secret of the house" not in everything(collector)


def test_a_question_and_its_answer_are_two_traces_of_one_conversation(context: Context) -> None:
    with collecting() as collector, serving(traced(context, collector.url)) as studio:
        events = studio.chat("ink", style="ask")
        asked, run = only(events, "interrupt"), only(events, "metadata")
        studio.choose(run["thread_id"], asked["id"], {"style": "ink", "weight": 1.0})
    asking, answering = [span for span in collector.spans if not span.parent_span_id]
    assert attributes(asking)["artisan.status"] == "interrupted"
    assert [event.name for event in asking.events] == ["question"]
    assert attributes(answering)["artisan.styles"] == ["ink:1.00"]
    assert attributes(asking)["session.id"] == attributes(answering)["session.id"]
    assert asking.trace_id != answering.trace_id


class CarelessEngine(PaintedEngine):
    """Keeps no line."""

    def paint(self, request: ImageRequest) -> Image.Image:
        return super().paint(replace(request, edges=None))


def test_another_try_is_an_event_of_the_run(context: Context) -> None:
    with (
        collecting() as collector,
        serving(with_engine(traced(context, collector.url), CarelessEngine())) as studio,
    ):
        studio.chat("ink", png(), style="none")
    renders = [span for span in collector.spans if span.name == "generate_image"]
    retries = [event for event in collector.root.events if event.name == "retry"]
    assert (len(renders), len(retries)) == (3, 2)
    scores = [attributes(span) for span in collector.spans if span.name == "critique"]
    assert [told["artisan.fidelity.geometry"] for told in scores] == [0, 0, 0]


def told_without_time(events: list[Event]) -> list[Any]:
    """What a stream says, but for ids and times."""
    changing = {"run_id", "thread_id", "elapsed_ms", "eta_ms"}
    return [
        (event.id, event.name, {k: v for k, v in event.data.items() if k not in changing})
        for event in events
    ]


def test_a_collector_that_is_not_there_costs_a_line_in_the_log(
    context: Context, caplog: pytest.LogCaptureFixture
) -> None:
    def three_runs(studio: LiveStudio) -> list[Any]:
        return [
            told_without_time(studio.chat("ink", png(), style="none", seed=n)) for n in range(3)
        ]

    with serving(context) as studio:
        plain = three_runs(studio)
    with serving(traced(context, "http://127.0.0.1:1")) as studio:
        assert three_runs(studio) == plain
    lines = [record for record in caplog.records if "collector" in record.message]
    assert len(lines) <= 1
    assert not [record for record in caplog.records if record.name.startswith("opentelemetry")]


def test_an_address_that_is_none_is_refused_at_the_start() -> None:
    with pytest.raises(ValueError, match="otlp_endpoint"):
        Settings(_env_file=None, otlp_endpoint="localhost:4318")
