"""The report for CI: a test case for every gate and for every case that failed."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING
from xml.etree import ElementTree

from evals.report.words import finished, gist, number
from evals.runs import Run
from evals.summary import SuiteSummary

if TYPE_CHECKING:
    from evals.gate import GateRow

FORBIDDEN = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")  # in XML 1.0


def junit(run: Run, summaries: Mapping[str, SuiteSummary], gates: Sequence[GateRow]) -> str:
    """JUnit XML with a `testsuite` per suite of the run, or of a gate whose suite was not run.

    A gate that is not passed is a failure, a case without scores an error.
    """
    root = ElementTree.Element("testsuites", name=f"artisan eval {run.header.id}")
    for name in dict.fromkeys([*summaries, *(gate.suite for gate in gates)]):
        node = ElementTree.SubElement(root, "testsuite", name=f"evals.{name}")
        node.set("timestamp", run.header.created.split("+")[0])
        properties = {"profile": run.header.profile, "seed": run.header.seed, "run": run.header.id}
        if missing := finished(run):
            properties["partial"] = missing
        told = ElementTree.SubElement(node, "properties")
        for key, value in properties.items():
            ElementTree.SubElement(told, "property", name=key, value=str(value))
        for gate in gates:
            if gate.suite == name:
                _gate(node, gate)
        if name in summaries:
            _cases(node, summaries[name])
            spent = sum(result.elapsed_s for result in run.results.get(name, ()))
            node.set("time", f"{spent:.3f}")
        _count(node)
    _count(root)
    ElementTree.indent(root)
    return ElementTree.tostring(root, encoding="unicode", xml_declaration=False) + "\n"


def _gate(node: ElementTree.Element, gate: GateRow) -> None:
    case = _case(node, "gate", f"{gate.metric}: {gate.wanted}")
    said = f"{gate.suite}.{gate.metric} is {number(gate.value)}, wanted {gate.wanted}: {gate.why}"
    if not gate.passed:
        failure = ElementTree.SubElement(case, "failure", message=_clean(said), type="gate")
        failure.text = _clean(gate.why)


def _cases(node: ElementTree.Element, summary: SuiteSummary) -> None:
    for result in summary.failed:
        case = _case(node, "case", result.case)
        case.set("time", f"{result.elapsed_s:.3f}")
        message = _clean(result.error or "")
        error = ElementTree.SubElement(case, "error", message=message, type="case")
        error.text = _clean(f"{gist(result, 400)}\n{result.error}")


def _case(node: ElementTree.Element, kind: str, name: str) -> ElementTree.Element:
    suite = node.get("name", "")
    return ElementTree.SubElement(
        node, "testcase", classname=f"{suite}.{kind}", name=_clean(name), time="0"
    )


def _count(node: ElementTree.Element) -> None:
    node.set("tests", str(len(list(node.iter("testcase")))))
    node.set("failures", str(len(list(node.iter("failure")))))
    node.set("errors", str(len(list(node.iter("error")))))
    node.set("skipped", "0")


def _clean(text: str) -> str:
    return FORBIDDEN.sub("\N{REPLACEMENT CHARACTER}", text)
