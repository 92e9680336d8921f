"""The report of a run: what must be in it, and what must never be."""

import json
import re
from collections.abc import Callable, Sequence
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest
from PIL import Image

from evals.gate import GateRow
from evals.report import write_report
from evals.report.axes import ticks
from evals.report.charts import draw_histogram, draw_matrix, draw_plot, draw_whisker
from evals.report.words import number, worst_first
from evals.runs import IMAGES, Header, Run, State
from evals.statistics import Estimate
from evals.subject import Subject
from evals.suite import (
    Case,
    Drawing,
    Matrix,
    Metric,
    Outcome,
    Plot,
    Result,
    Score,
    Series,
    Suite,
)
from evals.summary import compare, summarise

HOSTILE = "<script>alert(1)</script> | `x` **b** & <img src=http://evil.example/x.png>"
VOID = {"meta", "img", "br", "input", "link", "hr"}
GATES = (
    GateRow("search", "hit", "≥ 0.5", 0.75, True, "0.750, 95 % interval 0.600 to 0.900"),
    GateRow("search", "cases", "all done", 18.0, False, f"2 failed: {HOSTILE}"),
    GateRow("missing", "run", "run", None, False, "this suite was not run"),
)


async def never(case: Case, subject: Subject) -> Outcome:
    raise AssertionError


def drawings(results: Sequence[Result]) -> Sequence[Drawing]:
    if len(results) < 2:
        raise ValueError("too few")
    curve = [(0.0, 0.0), (0.4, 0.9), (1.0, 1.0), (float("nan"), 0.5)]
    return (
        Plot("Accepted", "false", "true", [Series("this <one>", curve)], diagonal=True),
        Plot("Front", "lines", "style", [Series("scale", curve[:3], "dots", ("0", "1", "2"))]),
        Matrix("Confusion", ("a", "b<"), ("a", "b"), ((3, 0), (1, -2.5))),
    )


SEARCH = Suite(
    "search",
    "Whether the right one is found",
    (
        Metric("hit", "the right one is first", apart_from=("shuffled",)),
        Metric("far", "how far it is", "px", False, ("shuffled",)),
        Metric("blind", "sees nothing", apart_from=("shuffled",)),
        Metric("size", "only describes", higher_is_better=None),
        Metric("spread", "a figure of all", higher_is_better=False),
    ),
    ("style_queries.toml",),
    list,
    never,
    4,
    figures=lambda results: {"spread": sum(r.scores["far"].value for r in results) / len(results)},
    drawings=drawings,
)
SUITES = {"search": SEARCH}


def result(number: int, better: float = 0.0) -> Result:
    if number in (3, 11):
        error = f"EngineBusy: no capacity {HOSTILE} \x0b\ud800"
        return Result("search", f"case-{number}", "b", {}, {}, {}, {}, {"text": "?"}, 0.1, error)
    value = min(1.0, number % 7 / 10 + 0.2 + better)
    return Result(
        "search",
        f"case-{number}",
        "ab"[number % 2],
        {
            "hit": Score(value, f"place {number}" if number else HOSTILE),
            "far": Score(10 - 9 * value, "px"),
            "blind": Score(number % 3 / 2, ""),
            "size": Score(number, ""),
        },
        {"shuffled": {"hit": 0.05, "far": 12.0, "blind": (number + 1) % 3 / 2}},
        {"render": f"{number}.webp", "sketch": "gone.webp"},
        {"ranking": {"a": 0.123456789}},
        {"text": HOSTILE if number == 0 else f"query {number}"},
        0.25,
    )


@pytest.fixture
def make(tmp_path: Path) -> Callable[..., Run]:
    """Makes runs of the suite above, with pictures."""

    def run(
        name: str = "now", cases: int = 20, state: State = "finished", better: float = 0.0
    ) -> Run:
        folder = tmp_path / name
        (folder / IMAGES).mkdir(parents=True)
        picture = Image.radial_gradient("L").resize((480, 360))
        for place in range(cases):
            picture.save(folder / IMAGES / f"{place}.webp", method=0)
        header = Header(
            name,
            "2026-11-21T14:00:00+00:00",
            ("search",),
            "starter",
            {"search": 20},
            7,
            False,
            {"engine": "starter/1"},
            {"search": "abc"},
            "a <machine>",
            state,
            95.0,
        )
        return Run(header, {"search": tuple(result(n, better) for n in range(cases))}, folder)

    return run


def write(run: Run, before: Run | None = None, gates: Sequence[GateRow] = GATES) -> dict[str, str]:
    """The text of every file of a report."""
    assert run.folder is not None
    files = write_report(
        run,
        summarise(run, SUITES),
        compare(before, run, SUITES) if before else None,
        before.header if before else None,
        gates,
        run.folder,
    )
    return {file.name: file.read_text("utf-8") for file in files}


class Page(HTMLParser):
    """Every element and text of a page; fails where an element is not closed in its place."""

    def __init__(self, html: str) -> None:
        super().__init__(convert_charrefs=True)
        self.open: list[str] = []
        self.elements: list[tuple[str, dict[str, str]]] = []
        self.texts: list[tuple[str, str]] = []
        self.feed(html)
        self.close()
        assert not self.open, f"never closed: {self.open}"

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, {name: value or "" for name, value in attrs}))
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, {name: value or "" for name, value in attrs}))

    def handle_endtag(self, tag: str) -> None:
        assert self.open, f"</{tag}> closes nothing"
        assert self.open.pop() == tag, f"</{tag}> is out of place"

    def handle_data(self, data: str) -> None:
        self.texts.append((self.open[-1] if self.open else "", data))

    def of(self, tag: str) -> list[dict[str, str]]:
        return [attributes for name, attributes in self.elements if name == tag]

    @property
    def text(self) -> str:
        return " ".join(data for tag, data in self.texts if tag not in ("script", "style"))


def test_the_page_is_well_formed_and_reaches_for_nothing(make: Callable[..., Run]) -> None:
    html = write(make(), make("before", better=-0.1))["report.html"]
    page = Page(html)
    for tag, attributes in page.elements:
        for name in ("src", "href", "srcset", "action", "data", "poster", "xlink:href"):
            if name in attributes:
                assert re.match(r"#|data:image/webp;base64,", attributes[name]), (tag, attributes)
        assert not [name for name in attributes if name.startswith("on")], (tag, attributes)
        assert "url(" not in attributes.get("style", "")
    assert tag_names(page) & {"link", "iframe", "object", "embed", "base", "form"} == set()
    for tag, text in page.texts:
        if tag in ("style", "script"):
            assert not re.search(r"url\(|@import|//[a-z]|fetch|XMLHttp", text)
    (policy,) = [m["content"] for m in page.of("meta") if m.get("http-equiv")]
    assert policy.startswith("default-src 'none'; img-src data:")


def tag_names(page: Page) -> set[str]:
    return {tag for tag, _ in page.elements}


def test_untrusted_text_stays_text(make: Callable[..., Run]) -> None:
    texts = write(make())
    page = Page(texts["report.html"])
    assert len(page.of("script")) == 1
    assert all(image["src"].startswith("data:") for image in page.of("img"))
    assert HOSTILE in page.text
    assert "a <machine>" in page.text
    assert "<script>" not in re.sub(r"\\<", "", texts["report.md"])
    assert all(line.count(" | ") < 7 for line in texts["report.md"].splitlines())


def test_every_failed_case_is_told_in_every_form(make: Callable[..., Run]) -> None:
    texts = write(make())
    for name, text in texts.items():
        for case in ("case-3", "case-11"):
            assert case in text, (name, case)
        assert "EngineBusy" in text
    assert "2 cases failed" in json.loads(texts["report.json"])["verdict"]
    assert "18 of 20 cases scored" in " ".join(Page(texts["report.html"]).text.split())


def test_a_whole_run_is_not_called_partial(make: Callable[..., Run]) -> None:
    for text in write(make()).values():
        assert "partial" not in text.lower().replace('"partial": false', "")


@pytest.mark.parametrize(("cases", "state"), [(12, "stopped"), (12, "running"), (20, "running")])
def test_a_partial_run_says_so_in_every_form(
    make: Callable[..., Run], cases: int, state: State
) -> None:
    texts = write(make(cases=cases, state=state))
    told = f"{cases} of 20 cases were done"
    for name, text in texts.items():
        assert told in text, name
    assert "<title>PARTIAL" in texts["report.html"]
    assert json.loads(texts["report.json"])["partial"] is True


def test_pictures_are_small_and_a_missing_one_is_said_to_be(make: Callable[..., Run]) -> None:
    html = write(make())["report.html"]
    images = Page(html).of("img")
    assert len(images) == 12  # the renders of 8 worst and 4 best; none of the sketches is there
    assert {(image["width"], image["height"]) for image in images} == {("256", "192")}
    assert all(image["alt"] == "render" for image in images)
    assert html.count("this picture is not in the run's folder") == 12
    assert len(html) < 6_000_000


def test_a_run_full_of_pictures_stays_in_its_budget(
    make: Callable[..., Run], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("evals.report.pictures.BUDGET", 12_000)
    images = Page(write(make())["report.html"]).of("img")
    assert len(images) == 12
    assert 3_000 < sum(len(image["src"]) for image in images) <= 12_000


def test_a_baseline_without_pictures_can_be_reported(
    make: Callable[..., Run], tmp_path: Path
) -> None:
    run = replace(make(), folder=None)
    (page, *_) = write_report(run, summarise(run, SUITES), None, None, (), tmp_path)
    assert not Page(page.read_text("utf-8")).of("img")


def test_junit_counts_gates_and_failed_cases(make: Callable[..., Run]) -> None:
    root = ElementTree.fromstring(write(make())["junit.xml"])  # noqa: S314 ours
    suites = {suite.get("name"): suite for suite in root}
    assert set(suites) == {"evals.search", "evals.missing"}
    for node, wanted in ((root, (5, 2, 2)), (suites["evals.search"], (4, 1, 2))):
        assert tuple(int(node.get(k, "")) for k in ("tests", "failures", "errors")) == wanted
        counted = tuple(len(list(node.iter(k))) for k in ("testcase", "failure", "error"))
        assert counted == wanted
    names = [(case.get("classname"), case.get("name")) for case in root.iter("testcase")]
    assert len(set(names)) == len(names)
    assert ("evals.search.case", "case-3") in names
    assert "\x0b" not in "".join(root.itertext())


def test_json_says_what_was_summed_up(make: Callable[..., Run]) -> None:
    now, before = make(), make("before", better=-0.1)
    told = json.loads(write(now, before)["report.json"])
    (summary,) = summarise(now, SUITES).values()
    changes = compare(before, now, SUITES)["search"]
    assert told["header"]["id"] == "now"
    assert told["baseline"]["id"] == "before"
    assert told["passed"] is False
    assert [gate["metric"] for gate in told["gates"]] == ["hit", "cases", "run"]
    for row in summary.rows:
        metric = told["suites"]["search"]["metrics"][row.metric.name]
        assert row.estimate is not None
        assert metric["estimate"] == row.estimate._asdict()
        assert metric["controls"] == row.controls
        assert metric["change"]["verdict"] == changes[row.metric.name].verdict
    assert told["suites"]["search"]["metrics"]["hit"]["change"]["verdict"] == "better"
    points = told["suites"]["search"]["drawings"][0]["series"][0]["points"]
    assert points[-1] == [None, 0.5]  # JSON has no NaN


def test_a_metric_that_sees_nothing_is_said_to(make: Callable[..., Run]) -> None:
    texts = write(make())
    assert "1 metric does not tell a control from the real thing" in texts["report.md"]
    assert texts["report.md"].count("(not told apart)") == 1
    assert texts["report.html"].count("does not surely tell") == 1


def test_the_verdict_counts_gates_and_changes(make: Callable[..., Run]) -> None:
    now, before = make(), make("before", better=-0.1)

    def verdict(gates: Sequence[GateRow], old: Run | None) -> str:
        told: str = json.loads(write(now, old, gates)["report.json"])["verdict"]
        return told

    assert verdict(GATES, before).startswith(
        "2 of 3 gates not passed; 3 metrics are better than in the baseline, 0 worse, 2 undecided"
    )
    assert verdict(GATES[:1], None).startswith("The gate passed; there is no baseline")
    assert verdict((), now).startswith("No gate was checked; no metric is surely better or worse")


@pytest.mark.parametrize("cases", [0, 1])
def test_a_run_of_next_to_nothing_has_a_report(make: Callable[..., Run], cases: int) -> None:
    page = Page(write(make(cases=cases, state="stopped"))["report.html"])
    assert ("Not measured: " in page.text) is (cases == 0)


def test_the_worst_cases_come_first_by_the_first_metric_they_have() -> None:
    def of(case: str, **scores: float) -> Result:
        given: dict[str, Any] = {name: Score(value, "") for name, value in scores.items()}
        return Result("search", case, "", given, {}, {}, {}, {}, 0.0)

    results = [
        of("good", hit=1.0, far=1.0),
        of("near", hit=0.2, far=2.0),
        of("worst", hit=0.2, far=9.0),
        of("other", far=5.0),
        of("nothing", size=3.0),
    ]
    order = [r.case for r in worst_first(results, SEARCH.metrics)]
    assert order.index("worst") < order.index("near") < order.index("good")
    assert order.index("other") < order.index("good")
    assert worst_first([result(3)], SEARCH.metrics) == []  # a failed case is no worst one


@pytest.mark.parametrize(
    ("low", "high", "wanted"),
    [
        (0, 1, [0, 0.2, 0.4, 0.6, 0.8, 1]),
        (0.31, 0.64, [0.3, 0.4, 0.5, 0.6, 0.7]),
        (-3, 12, [-5, 0, 5, 10, 15]),
        (0, 2300, [0, 500, 1000, 1500, 2000, 2500]),
    ],
)
def test_ticks_are_round(low: float, high: float, wanted: list[float]) -> None:
    assert ticks(low, high) == wanted


@pytest.mark.parametrize("value", [0.0, 1.0, -2.0, 1e-13, 1e9, 0.1 + 0.2])
def test_ticks_of_one_value_lie_about_it(value: float) -> None:
    found = ticks(value, value + 1e-15)
    assert found[0] < value < found[-1]
    assert found == sorted(set(found))


def test_charts_keep_to_their_box() -> None:
    names = tuple(f"a long name {n}" for n in range(12))
    crowd = Series("points", [(0.5 + n / 1e3, 0.5) for n in range(12)], "dots", names)
    chart = draw_plot(Plot("", "x", "y", [crowd, Series("none", [])]))
    for drawn in chart.series:
        for dot in drawn.dots:
            assert chart.left <= dot.x <= chart.right
            assert chart.top <= dot.y <= chart.bottom
    assert 0 < len(chart.labels) < len(names)  # those that would cover others are left to the table
    assert len(chart.series[0].rows) == len(names)
    histogram = draw_histogram([0.0, 0.0, 1.0, 1.0], {"shuffled": [0.5], "none": []}, "hit")
    assert [round(bar.height, 1) for bar in histogram.bars] == [histogram.bars[0].height] * 2
    assert all(bar.x + bar.width <= histogram.right for bar in histogram.bars)
    whisker = draw_whisker(Estimate(12.0, 9.0, 14.0), {"blank": -3.0}, None)
    assert whisker is not None
    assert 0 <= whisker.controls[0].x < whisker.span[0] < whisker.x < whisker.span[1] <= 100
    assert draw_whisker(Estimate(float("nan"), 0.0, 1.0), {}, None) is None


def test_a_matrix_is_shaded_by_its_largest_cell() -> None:
    ((_, (largest, none)), (_, (one, below))) = draw_matrix(
        Matrix("", ("a", "b"), ("a", "b"), ((4, 0), (1, -2)))
    ).rows
    assert (largest.text, largest.shade) == ("4", 1)
    assert (none.text, none.shade) == ("·", 0)
    assert (one.shade, below.shade, below.below) == (0.25, 0.5, True)


def test_numbers_keep_the_digits_that_say_something() -> None:
    said = [number(v) for v in (0.91234, 1.0, 3.456, 12.34, 76, 1234.5, -0.5, float("inf"), None)]
    assert said == ["0.912", "1.000", "3.46", "12.3", "76", "1,234", "−0.500", "∞", "–"]
