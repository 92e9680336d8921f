"""The suites of pictures ask for what the product asks for, and tell the real thing from its impostors."""

import json
import subprocess
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import cast

import numpy as np
import pytest
from conftest import PaintedEngine
from PIL import Image, ImageEnhance

from evals import data, style_rank
from evals.data import DatasetError
from evals.drawings import load_drawings, sketch
from evals.pictures import NOTICEABLE
from evals.renders import render, request_for, shipped_styles
from evals.style_rank import distances, likeness, open_judge, rank1
from evals.subject import RenderCache, Subject
from evals.suite import Case, Matrix, Outcome, Plot, Result, Suite, choose
from evals.suites import geometry, style_fidelity, text_fidelity, tradeoff
from graph.build import build_graph
from graph.context import Context, Studio
from graph.state import Request
from styles.catalog import Catalog
from tools.diffusion import open_engine
from tools.imaging import ImageEngine, ImageRequest
from tools.profiles import load_profiles

ROOT = Path(__file__).parents[1]
SUITES = [module.SUITE for module in (geometry, style_fidelity, text_fidelity, tradeoff)]


async def subject_of(context: Context, evals: Path, engine: ImageEngine) -> Subject:
    """The shipped library and a painted engine."""
    whole = replace(context, catalog=Catalog(ROOT / "styles/library"))
    studio = replace(await context.studio("starter"), engine=engine)

    async def opened(name: str) -> Studio:
        return studio

    renders = RenderCache(evals / context.settings.data_dir.parent.name, engine.name)
    return Subject(replace(whole, studio=opened), studio, renders)


@dataclass
class ObedientEngine(PaintedEngine):
    """Night is dark, and the lines are as dark as the control scale is high."""

    name: str = "obedient/1"

    def paint(self, request: ImageRequest) -> Image.Image:
        picture = super().paint(request)
        plain = super().paint(replace(request, edges=None))
        picture = Image.blend(plain, picture, min(1.0, request.control_scale / 2))
        if "night" in request.prompt:
            return ImageEnhance.Brightness(picture).enhance(0.3)
        return picture


@pytest.fixture(scope="module")
def evals(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """Where the judge's knowledge is kept. Two pictures of every style teach him in a second."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(style_rank, "EACH", 2)
        yield tmp_path_factory.mktemp("evals")


def as_result(suite: Suite, case: Case, outcome: Outcome) -> Result:
    facts = json.loads(json.dumps(outcome.facts))
    return Result(
        suite.name, case.id, case.group, outcome.scores, outcome.controls, {}, facts, case.inputs, 0
    )


@pytest.mark.parametrize("suite", SUITES, ids=lambda suite: suite.name)
def test_cases_are_many_named_once_and_plain(suite: Suite) -> None:
    cases = suite.cases()
    ids = [case.id for case in cases]
    assert len(set(ids)) == len(ids) >= (9 if suite.name == "tradeoff" else 40)
    assert json.loads(json.dumps([dict(case.inputs) for case in cases])) == [
        dict(case.inputs) for case in cases
    ]
    quick = choose(cases, suite.quick, 0)
    assert len({case.group for case in quick}) == len(quick), "a quick run sees many kinds"
    test = {d.name for d in load_drawings().values() if d.split == "test"}
    assert all((case.inputs["drawing"] in test) is (suite.name != "tradeoff") for case in cases)


def test_the_suites_import_no_heavy_library() -> None:
    code = (
        "import sys; from evals.suites import geometry, style_fidelity, text_fidelity, tradeoff;"
        "[s.SUITE.cases() for s in (geometry, style_fidelity, text_fidelity, tradeoff)];"
        "print(*{'torch','chromadb','langgraph','diffusers','transformers','onnxruntime'} & {*sys.modules})"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == ""


async def test_a_suite_asks_for_what_the_product_asks_for(context: Context, evals: Path) -> None:
    engine = PaintedEngine()
    subject = await subject_of(context, evals, engine)
    drawing = load_drawings()["small-car"]
    shot = await request_for(subject, drawing, ["pop-art"], "a small red car at dusk", 5)
    request = Request(
        message="a small red car at dusk",
        sketch=subject.context.artifacts.put_image(sketch(drawing)),
        style="pop-art",
        seed=5,
        steps=None,
        size=None,
        profile="starter",
    )
    state = await build_graph().ainvoke(request, context=subject.context)
    (asked,) = engine.requests[:1]
    for field in ("prompt", "seed", "width", "height", "steps", "control_scale", "style_scale"):
        assert getattr(shot.request, field) == getattr(asked, field), field
    assert shot.request.edges is not None
    assert asked.edges is not None
    assert (np.asarray(shot.request.edges) == np.asarray(asked.edges)).all()
    assert shot.request.style is not None
    assert asked.style is not None
    assert np.array_equal(shot.request.style.vectors, asked.style.vectors)
    assert asked.style.weights == shot.request.style.weights
    picture = await render(subject, shot)
    made = subject.context.artifacts.image(state["attempts"][0]["image"])
    assert picture.tobytes() == made.tobytes()
    assert shot.lines.size == shot.sketch.size == picture.size


def check(suite: Suite, outcome: Outcome) -> None:
    """What every outcome owes the report."""
    metrics = {metric.name: metric for metric in suite.metrics}
    assert set(outcome.scores) <= set(metrics)
    for name, score in outcome.scores.items():
        assert np.isfinite(score.value), name
        assert score.reason, name
        assert set(metrics[name].apart_from) <= set(outcome.controls), name
    for control, found in outcome.controls.items():
        assert set(found) <= set(metrics), control
        assert all(np.isfinite(value) for value in found.values()), control
    assert all(image.mode == "RGB" for image in outcome.images.values())
    json.dumps(dict(outcome.facts), allow_nan=False)


def apart(suite: Suite, outcome: Outcome) -> list[str]:
    """The metrics on which some impostor does as well as the real thing."""
    return [
        f"{metric.name} from {control}"
        for metric in suite.metrics
        if metric.name in outcome.scores
        for control in metric.apart_from
        if (outcome.scores[metric.name].value > outcome.controls[control][metric.name])
        is not bool(metric.higher_is_better)
    ]


async def test_geometry_tells_a_faithful_render_from_every_impostor(
    context: Context, evals: Path
) -> None:
    subject = await subject_of(context, evals, PaintedEngine())
    case = next(c for c in geometry.cases() if c.inputs["drawing"] == "chapel")
    outcome = await geometry.run(case, subject)
    check(geometry.SUITE, outcome)
    assert apart(geometry.SUITE, outcome) == []
    assert outcome.scores["recall_2px"].value > 0.9
    (plot,) = geometry.drawings([as_result(geometry.SUITE, case, outcome)])
    assert isinstance(plot, Plot)
    f1, shuffled = (
        next(s.points for s in plot.series if s.name == name) for name in ("F1", "F1, shuffled")
    )
    assert all(a[1] > b[1] for a, b in zip(f1, shuffled, strict=True))


async def test_a_render_is_not_asked_for_twice(context: Context, evals: Path) -> None:
    engine = PaintedEngine()
    subject = await subject_of(context, evals, engine)
    case = geometry.cases()[0]
    first = await geometry.run(case, subject)
    assert len(engine.requests) == 1
    again = await geometry.run(case, subject)
    assert len(engine.requests) == 1
    assert again.scores == first.scores
    assert again.controls == first.controls


async def test_style_fidelity_knows_the_reference_from_the_blank(
    context: Context, evals: Path
) -> None:
    subject = await subject_of(context, evals, PaintedEngine())
    case = next(c for c in style_fidelity.cases() if c.inputs["style"] == "stained-glass")
    outcome = await style_fidelity.run(case, subject)
    check(style_fidelity.SUITE, outcome)
    assert outcome.controls["reference"]["similarity"] > 0.9
    assert outcome.controls["reference"]["leak"] > 0.9 > 0.2 > abs(outcome.scores["leak"].value)
    assert outcome.controls["reference"]["likeness"] > outcome.controls["blank"]["likeness"]
    results = [as_result(style_fidelity.SUITE, case, outcome)]
    assert 0 <= style_fidelity.figures(results)["styles_recognised"] <= 1
    (matrix,) = style_fidelity.drawings(results)
    assert isinstance(matrix, Matrix)
    assert np.sum(matrix.values) == 1


def test_the_judge_knows_the_references(evals: Path) -> None:
    judge = open_judge(evals)
    open_judge.cache_clear()
    assert list(evals.glob("judge-*.npz"))
    kept = open_judge(evals)
    assert kept.slugs == judge.slugs == tuple(sorted(judge.slugs))
    assert (kept.means == judge.means).all()
    hits, nearer = [], []
    for style in Catalog(ROOT / "styles/library").styles.values():
        with Image.open(style.references[0]) as image:
            picture = image.convert("RGB")
        hits.append(rank1(kept, picture, style.slug).value)
        nearer.append(likeness(kept, picture, style.slug).value)
        far = distances(kept, picture)
        assert list(far.values()) == sorted(far.values())
    assert np.mean(hits) > 0.7
    assert np.mean(nearer) > 0.3


async def test_words_that_are_heard_move_the_picture(context: Context, evals: Path) -> None:
    subject = await subject_of(context, evals, ObedientEngine())
    case = next(c for c in text_fidelity.cases() if c.inputs["to"] == "a city street by night")
    outcome = await text_fidelity.run(case, subject)
    check(text_fidelity.SUITE, outcome)
    assert outcome.scores["moved"].value == 1
    assert outcome.scores["shift"].value > 10
    assert outcome.controls["blank"] == {"moved": 0, "shift": 0}
    deaf = replace(subject, studio=replace(subject.studio, engine=PaintedEngine()))
    unmoved = await text_fidelity.run(
        case, replace(deaf, renders=RenderCache(evals / "deaf", "painted/1"))
    )
    assert unmoved.scores["moved"].value == 0
    assert unmoved.scores["shift"].value == pytest.approx(0)


def test_a_change_is_looked_for_where_it_belongs() -> None:
    was, now = Image.new("RGB", (200, 150), "#404040"), Image.new("RGB", (200, 150), "#404040")
    now.paste("#c02020", (100, 75, 200, 150))
    wish = {"channel": "redness", "way": "more", "where": [50, 38, 100, 75]}
    there = text_fidelity.change_scores((was, now), wish)
    assert there["moved"].value == 1
    assert "redness from" in there["moved"].reason
    elsewhere = text_fidelity.change_scores((was, now), wish | {"where": [0, 0, 48, 36]})
    assert elsewhere["moved"].value == 0
    against = text_fidelity.change_scores((was, now), wish | {"way": "less"})
    assert against["shift"].value == -there["shift"].value < -NOTICEABLE


PAIR = {
    "drawing": "chapel",
    "from": "a chapel by day",
    "to": "a chapel by night",
    "kind": "hour",
    "channel": "lightness",
    "way": "less",
    "split": "test",
}


@pytest.mark.parametrize(
    ("field", "value", "said"),
    [
        ("drawing", "castle", "no drawing 'castle'"),
        ("channel", "loudness", "channel is one of lightness"),
        ("way", "up", "way is one of more, less"),
        ("where", [1, 2, 3], "left, top, right, bottom"),
        ("split", "train", "split is one of dev, test"),
        ("mood", "sad", "'mood' is unknown"),
    ],
)
def test_a_bad_pair_is_named_with_its_line(
    field: str, value: object, said: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    rows: list[dict[str, object]] = [{**PAIR}, {**PAIR, field: value}]
    text = [
        f"[[pair]]\n{''.join(f'{k} = {json.dumps(v)}' + chr(10) for k, v in r.items())}"
        for r in rows
    ]
    load_drawings()
    (tmp_path / text_fidelity.FILE).write_text("\n".join(text))
    monkeypatch.setattr(data, "FOLDER", tmp_path)
    with pytest.raises(DatasetError, match=r"prompts_paired.toml, line 10") as caught:
        text_fidelity.load_pairs.__wrapped__()
    assert said in str(caught.value)


def test_the_front_is_what_nothing_beats() -> None:
    points = np.random.default_rng(0).random((60, 2))
    front = tradeoff.pareto(points)
    for row, point in enumerate(points):
        beaten = any((other >= point).all() and (other > point).any() for other in points)
        assert (row in front) is not beaten
    assert (np.diff(points[front, 0]) > 0).all()
    assert (np.diff(points[front, 1]) < 0).all()
    assert tradeoff.knee(points) in front


def test_the_knee_is_where_neither_is_given_up() -> None:
    curve = np.array([[0, 1], [0.5, 0.97], [0.9, 0.9], [0.97, 0.5], [1, 0]])
    assert tradeoff.knee(curve) == 2
    assert tradeoff.knee(curve * [3, 0.01] + [5, -2]) == 2, "units do not matter"
    assert tradeoff.knee(np.array([[0.4, 0.4]])) == 0


def surface(default: tuple[float, float]) -> list[Result]:
    """Two drawings whose geometry grows with the control scale and whose style falls beyond 1."""
    results = []
    for shift in (0.0, 0.02):
        grid = {default, *((c, s) for c in tradeoff.CONTROL for s in tradeoff.STYLE)}
        points = [
            [c, s, 1 - 0.7 * np.exp(-3 * c) + shift, 0.4 - max(0, c - 1) + 0.1 * min(s, 1.0)]
            for c, s in sorted(grid)
        ]
        facts = {"default": list(default), "points": points}
        results.append(Result("tradeoff", f"d{shift}", "", {}, {}, {}, facts, {}, 0))
    return results


def test_defaults_off_the_knee_are_told() -> None:
    good, bad = tradeoff.figures(surface((1.0, 1.0))), tradeoff.figures(surface((0.2, 1.0)))
    assert good["distance_to_knee"] == 0
    assert good["default_on_front"] == 1
    assert bad["distance_to_knee"] > 0.5
    with pytest.raises(ValueError, match="no results"):
        tradeoff.figures([])
    (plot,) = tradeoff.drawings(surface((0.2, 1.0)))
    assert isinstance(plot, Plot)
    named = {series.name: series for series in plot.series}
    assert named["defaults"].labels == ["0.2 / 1"]
    assert named["knee"].points[0] != named["defaults"].points[0]


async def test_tradeoff_renders_the_grid_and_the_defaults(context: Context, evals: Path) -> None:
    engine = ObedientEngine()
    subject = await subject_of(context, evals, engine)
    case = tradeoff.cases()[0]
    outcome = await tradeoff.run(case, subject)
    check(tradeoff.SUITE, outcome)
    assert len(engine.requests) == len(tradeoff.CONTROL) * len(tradeoff.STYLE)
    assert (
        apart(
            tradeoff.SUITE,
            replace(outcome, scores={"f1_at_default": outcome.scores["f1_at_default"]}),
        )
        == []
    )
    recall = {tuple(p[:2]): p[2] for p in cast("Sequence[list[float]]", outcome.facts["points"])}
    assert recall[1.0, 1.0] == outcome.scores["f1_at_default"].value

    weak = subject.profile.model_copy(update={"control_scale": 0.05})
    studio = replace(subject.studio, profile=weak)
    planted = await tradeoff.run(case, replace(subject, studio=studio))
    assert planted.scores["f1_at_default"].value < outcome.scores["f1_at_default"].value - 0.2
    assert len(planted.facts["points"]) == len(outcome.facts["points"]) + 1


async def test_the_shipped_pack_keeps_the_lines(context: Context, evals: Path) -> None:
    """The real thing, once."""
    profile = load_profiles(ROOT / "models/profiles.toml")["starter-fast"]
    painted = await subject_of(context, evals, open_engine(profile, ROOT / "models"))
    subject = replace(
        painted,
        context=replace(painted.context, profiles={profile.name: profile}),
        studio=replace(painted.studio, profile=profile),
    )
    case = next(c for c in geometry.cases() if c.inputs["drawing"] == "gift-box")
    outcome = await geometry.run(case, subject)
    check(geometry.SUITE, outcome)
    assert apart(geometry.SUITE, outcome) == []
    assert outcome.scores["f1_2px"].value > 0.7
    assert case.inputs["style"] in shipped_styles()
