"""Runs as OpenTelemetry traces: a span for the run, one beneath it for every node. Only imported when tracing is on.

Built from the events that a run writes to its log, so the graph knows nothing of it. Names are those of OpenTelemetry's
conventions for generative AI, with the kinds by which LangSmith and OpenInference (Phoenix) draw a span.
"""

import json
import logging
import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor, SpanExporter, SpanExportResult
from opentelemetry.sdk.trace.id_generator import RandomIdGenerator
from opentelemetry.trace import Span, StatusCode, set_span_in_context
from opentelemetry.util.types import AttributeValue

from graph.settings import VERSION
from server.eventlog import Event, Run

logger = logging.getLogger(__name__)

PATH = "/v1/traces"
QUEUE_MAX = 2048  # spans that wait for the collector; the oldest give way
EVERY_S = 2.0  # between two batches
TIMEOUT_S = 5.0  # for a batch, tried again in that time
FLUSH_S = 3.0  # for what is left when the server stops
SDK = ("opentelemetry.exporter.otlp.proto.http", "opentelemetry.sdk._shared_internal")

KINDS = {  # node: GenAI operation, LangSmith's kind, OpenInference's kind
    "retrieve_styles": ("retrieval", "retriever", "RETRIEVER"),
    "generate_image": ("generate_content", "tool", "TOOL"),
    "critique": (None, "chain", "EVALUATOR"),
}
STEP = (None, "chain", "CHAIN")  # of any other node


class Tracing:
    """Tells a collector of every run that it hears of."""

    def __init__(self, endpoint: str, *, content: bool = False) -> None:
        """`endpoint` is an OTLP/HTTP collector, with or without `/v1/traces`; `content`: what people wrote goes along.

        Keys for it are read from `OTEL_EXPORTER_OTLP_HEADERS`, by the exporter itself.
        """
        for name in SDK:  # `_Told` says it once instead
            logging.getLogger(name).setLevel(logging.CRITICAL)
        url = endpoint.rstrip("/")
        url = url if url.endswith(PATH) else url + PATH
        self._content = content
        self._open: dict[str, _Open] = {}
        self._ids = _RunIds()
        self._provider = TracerProvider(
            resource=Resource.create(
                {"service.name": "artisan-studio", "service.version": VERSION}
            ),
            shutdown_on_exit=False,
            id_generator=self._ids,
        )
        self._exporter = _Told(OTLPSpanExporter(url, timeout=TIMEOUT_S), url)
        self._provider.add_span_processor(
            BatchSpanProcessor(
                self._exporter,
                max_queue_size=QUEUE_MAX,
                schedule_delay_millis=1000 * EVERY_S,
                max_export_batch_size=QUEUE_MAX // 4,
            )
        )
        self._tracer = self._provider.get_tracer("artisan", VERSION)

    def hear(self, run: Run, event: Event) -> None:
        """Take in the next event of a run."""
        if event.event == "progress":
            return
        data = json.loads(event.data)
        if event.event == "metadata":
            self._begin(run, data["attempt"])
        else:
            if run.run_id not in self._open:  # an earlier process has accepted it
                self._begin(run, 1)
            self._tell(self._open[run.run_id], event, data)
            if event.event == "end":
                del self._open[run.run_id]

    def close(self) -> None:
        """Send what is left, for a few seconds at most. Blocking."""
        for told in self._open.values():
            told.end("stopped")
        self._open.clear()
        flush = threading.Thread(target=self._provider.shutdown, daemon=True)
        flush.start()
        flush.join(0 if self._exporter.failing else FLUSH_S)  # it does not keep the process

    def _begin(self, run: Run, attempt: int) -> None:
        if told := self._open.get(run.run_id):  # it goes on, in this very process
            told.end_nodes("another attempt")
            told.run.add_event("attempt", {"artisan.attempt": attempt})
            return
        self._ids.trace = UUID(run.run_id).int
        span = self._start("invoke_agent artisan", ("invoke_agent", "chain", "AGENT"))
        span.set_attributes(
            {
                "gen_ai.agent.name": "artisan",
                "gen_ai.agent.version": VERSION,
                "gen_ai.conversation.id": run.thread_id,
                "session.id": run.thread_id,
                "artisan.run.id": run.run_id,
                "artisan.attempt": attempt,
            }
        )
        request = run.input.get("request", {})
        if "profile" in request:
            span.set_attribute("gen_ai.request.model", request["profile"])
            span.set_attribute("gen_ai.request.seed", request["seed"])
        if self._content and "message" in request:
            _say(span, "input", "user", request["message"])
        self._open[run.run_id] = _Open(span)

    def _tell(self, told: "_Open", event: Event, data: Mapping[str, Any]) -> None:
        match event.event:
            case "queue":
                told.run.add_event("queued", {"artisan.queue.position": data["position"]})
            case "node" if data["status"] == "started":
                node = data["node"]
                told.nodes[node] = self._start(node, KINDS.get(node, STEP), told.run)
            case "node":
                self._finish(told, data, json.loads(event.part or "{}").get("update") or {})
            case "interrupt":
                told.run.add_event(
                    "question",
                    {"artisan.question": data["kind"], "artisan.offered": len(data["candidates"])},
                )
            case "result":
                told.run.set_attributes(_result(data))
                if self._content:
                    _say(told.run, "output", "assistant", data["enhanced_prompt"])
            case "error":
                told.fail(data["code"])
            case "end":
                told.end(data["status"])

    def _finish(self, told: "_Open", data: Mapping[str, Any], update: Mapping[str, Any]) -> None:
        """A node is done, and made this `update`."""
        span = told.nodes.pop(data["node"], None)
        if span is None:
            return
        if versions := update.get("versions"):
            told.run.set_attributes({f"artisan.version.{k}": v for k, v in versions.items()})
        if "styles" in update and data["node"] == "choose_style":
            told.run.set_attribute("artisan.styles", _styles(update["styles"]))
        if data["node"] == "critique":
            last = update["attempts"][-1]
            span.set_attributes(_fidelity(last["fidelity"]))
            if update["retry"]:
                told.run.add_event("retry", {"artisan.attempts": len(update["attempts"])})
        if self._content and data["text"]:
            span.set_attribute("artisan.said", data["text"])
        span.end()

    def _start(
        self, name: str, kind: tuple[str | None, str, str], parent: Span | None = None
    ) -> Span:
        operation, langsmith, openinference = kind
        attributes: dict[str, AttributeValue] = {
            "langsmith.span.kind": langsmith,
            "openinference.span.kind": openinference,
        }
        if operation:
            attributes["gen_ai.operation.name"] = operation
        if name == "generate_image" or parent is None:
            attributes["gen_ai.output.type"] = "image"
        context = set_span_in_context(parent) if parent else None
        return self._tracer.start_span(name, context, attributes=attributes)


@dataclass(slots=True)
class _Open:
    """A run that has not ended, and its nodes that have not."""

    run: Span
    nodes: dict[str, Span] = field(default_factory=dict)

    def fail(self, code: str) -> None:
        for span in (self.run, *self.nodes.values()):
            span.set_attribute("error.type", code)
            span.set_status(StatusCode.ERROR, code)

    def end_nodes(self, status: str) -> None:
        for span in self.nodes.values():
            span.set_attribute("artisan.status", status)
            span.end()
        self.nodes.clear()

    def end(self, status: str) -> None:
        self.end_nodes(status)
        self.run.set_attribute("artisan.status", status)
        self.run.end()


class _RunIds(RandomIdGenerator):
    """A run's trace has the run's own id, so who knows the one finds the other."""

    trace = 0

    def generate_trace_id(self) -> int:
        return self.trace


class _Told(SpanExporter):
    """Sends by another exporter, and says in one line when that begins to fail, and when it works again."""

    def __init__(self, exporter: SpanExporter, url: str) -> None:
        self.failing = False
        self._exporter, self._url = exporter, url

    def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
        result = self._exporter.export(spans)
        failed = result is not SpanExportResult.SUCCESS
        if failed and not self.failing:
            logger.warning(
                "no collector takes traces at %s; they are dropped until one does", self._url
            )
        elif self.failing and not failed:
            logger.warning("traces arrive at %s again", self._url)
        self.failing = failed
        return result

    def shutdown(self) -> None:
        self._exporter.shutdown()


def _say(span: Span, way: str, role: str, text: str) -> None:
    message = [{"role": role, "parts": [{"type": "text", "content": text}]}]
    span.set_attribute(f"gen_ai.{way}.messages", json.dumps(message))
    span.set_attribute(f"{way}.value", text)


def _result(data: Mapping[str, Any]) -> dict[str, AttributeValue]:
    versions = {f"artisan.version.{kind}": name for kind, name in data["versions"].items()}
    return {
        **versions,
        **_fidelity(data["fidelity"]),
        "gen_ai.response.model": data["profile"],
        "artisan.profile": data["profile"],
        "artisan.styles": _styles(data["styles"]),
        "artisan.image.id": data["artifact_id"],
        "artisan.image.width": data["width"],
        "artisan.image.height": data["height"],
    }


def _styles(styles: Sequence[Mapping[str, Any]]) -> list[str]:
    return [f"{share['style']}:{share['weight']:.2f}" for share in styles]


def _fidelity(scores: Mapping[str, float | None]) -> dict[str, AttributeValue]:
    return {
        f"artisan.fidelity.{name}": score for name, score in scores.items() if score is not None
    }
