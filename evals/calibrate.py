"""Fit the retrieval calibration of a profile on the dev half of the datasets, and report on the test half.

    python -m evals.calibrate [--profile starter] [--write]

Rows with an even number are dev, odd ones test. A positive is a query with its own style; negatives are the nearest
wrong style of every query and the nearest style of every off-topic text. The metric is fitted on the styles' own texts
and the foreign looks, never on the datasets.
"""

import argparse
import math
import tempfile
import tomllib
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from styles.calibration import Calibration, mark, numbers, save_calibration
from styles.catalog import Catalog
from styles.foreign import load_looks
from styles.index import StyleIndex, style_texts
from styles.vectors import Matrix
from tools.encoders import open_encoder
from tools.encoding import StyleEncoder
from tools.profiles import load_profiles
from training.data import LINE_WIDTH, SIZE, load_palettes
from training.painters import Look, jitter_palette, paint
from training.world import draw_scene, rasterise

DATASETS = Path(__file__).parent / "datasets"
ROOT = Path(__file__).parents[1]
FALSE_ACCEPTS = 0.03  # of each kind of off-topic text that the floor may let through
SHRINK = 1.0  # of the metric towards plain cosines, in mean variances
SURE = 0.9  # share of right answers from which a style is taken without a question

Rows = list[tuple[Any, str | None]]  # (text or picture, the style it means or None)
Ranks = list[list[tuple[str, float]]]  # of each row, (slug, cosine or lead) best first
Floats = NDArray[np.float64]


class Estimate(NamedTuple):
    """A number from a sample, and the 95 % interval about it."""

    value: float
    low: float
    high: float


def text_rows() -> tuple[Rows, Rows, Rows]:
    """Style queries, plain off-topic texts, and design words that fit no style here."""
    queries = tomllib.loads((DATASETS / "style_queries.toml").read_text("utf-8"))["query"]
    others = tomllib.loads((DATASETS / "off_topic.toml").read_text("utf-8"))["query"]
    return (
        [(q["text"], q["style"]) for q in queries],
        [(q["text"], None) for q in others if q["kind"] == "plain"],
        [(q["text"], None) for q in others if q["kind"] == "hard"],
    )


def picture_rows(each: int, seed: int) -> Rows:
    """`each` fresh pictures of every style, scenes and palettes the index has not seen."""
    rng = np.random.default_rng(seed)
    rows: Rows = []
    for _ in range(each):
        for slug, palette in load_palettes().items():
            look = Look(slug, jitter_palette(palette, rng), True)
            rows.append(
                (
                    Image.fromarray(
                        paint(rasterise(draw_scene(rng), SIZE, LINE_WIDTH), look, rng, SIZE)
                    ),
                    slug,
                )
            )
    return rows


def fit_metric(vectors: Matrix, owners: NDArray[np.int64]) -> Matrix:
    """(dim, dim) metric that weighs down the directions in which words for the same look differ.

    The inverse root of the covariance within owners, shrunk: within-class covariance normalisation (Hatch 2006).
    """
    _, owners = np.unique(owners, return_inverse=True)
    sums = np.zeros((owners.max() + 1, vectors.shape[1]))
    np.add.at(sums, owners, vectors)
    spread = vectors - (sums / np.bincount(owners)[:, None])[owners]
    variances, axes = np.linalg.eigh(spread.T @ spread / len(vectors))
    weights = (variances + SHRINK * variances.mean()) ** -0.5
    return np.asarray((axes * (weights / weights.max())) @ axes.T, np.float16).astype(np.float32)


def known_texts(catalog: Catalog) -> tuple[list[str], NDArray[np.int64]]:
    """Every text of the styles and of the foreign looks, and the number of the one it belongs to."""
    groups = [style_texts(style) for style in catalog.styles.values()]
    groups += [[look.name, *look.texts] for look in load_looks()]
    owners = np.repeat(np.arange(len(groups)), [len(group) for group in groups])
    return [text for group in groups for text in group], owners


def rank_texts(index: StyleIndex, rows: Rows) -> tuple[Ranks, Floats]:
    """What the index answers to each text, and the cosine of the nearest foreign look."""
    vectors = [index.embed([text])[0] for text, _ in rows]
    rivals = np.array([index.rival(vector)[1] for vector in vectors])
    return [index.nearest(vector, 8, of_image=False) for vector in vectors], rivals


def rank_pictures(index: StyleIndex, rows: Rows) -> Ranks:
    """What the index answers to each picture."""
    vectors = [np.array(index.encoder.embed_image(image), np.float32) for image, _ in rows]
    return [index.nearest(vector, 8, of_image=True) for vector in vectors]


def leads(ranks: Ranks, rivals: Floats, background: float) -> Ranks:
    """The same answers with each style's lead over the nearest foreign look in place of its cosine."""
    return [
        [(slug, cosine - max(rival, background)) for slug, cosine in found]
        for found, rival in zip(ranks, rivals.tolist(), strict=True)
    ]


def pairs(rows: Rows, ranks: Ranks) -> tuple[Floats, Floats]:
    """Evidence and 0/1 labels of each row's true style and of its nearest other style."""
    cosines, labels = [], []
    for (_, style), found in zip(rows, ranks, strict=True):
        wrong = next((cosine for slug, cosine in found if slug != style), None)
        for slug, cosine in found:
            if slug == style:
                cosines.append(cosine)
                labels.append(1.0)
        if wrong is not None:
            cosines.append(wrong)
            labels.append(0.0)
    return np.array(cosines), np.array(labels)


def fit_platt(cosines: Floats, labels: Floats) -> tuple[float, float]:
    """(slope, midpoint) of the logistic curve of greatest likelihood, by Newton's method."""
    x = np.stack([cosines, np.ones_like(cosines)], 1)
    w = np.zeros(2)
    for _ in range(50):
        p = 1 / (1 + np.exp(-x @ w))
        hessian = (x * (p * (1 - p))[:, None]).T @ x + 1e-6 * np.eye(2)
        w = w + np.linalg.solve(hessian, x.T @ (labels - p))
    return float(w[0]), float(-w[1] / w[0])


def auroc(positive: Floats, negative: Floats) -> float:
    """Probability that a positive outranks a negative; ties count half."""
    above = (positive[:, None] > negative).mean() + 0.5 * (positive[:, None] == negative).mean()
    return float(above)


def hits(rows: Rows, ranks: Ranks, k: int) -> NDArray[np.bool_]:
    """Whether each row's style is among the first `k`."""
    return np.array(
        [
            style in [slug for slug, _ in found[:k]]
            for (_, style), found in zip(rows, ranks, strict=True)
        ]
    )


def share(hits: NDArray[np.bool_]) -> Estimate:
    """Share of hits, with Wilson's interval."""
    n, p, z = len(hits), float(hits.mean()), 1.96
    middle = (p + z * z / (2 * n)) / (1 + z * z / n)
    reach = z / (1 + z * z / n) * math.sqrt(p * (1 - p) / n + z * z / (4 * n * n))
    return Estimate(p, middle - reach, middle + reach)


def area(positive: Floats, negative: Floats) -> Estimate:
    """AUROC, with the interval of 2,000 bootstrap samples."""
    rng = np.random.default_rng(0)
    drawn = [
        auroc(rng.choice(positive, len(positive)), rng.choice(negative, len(negative)))
        for _ in range(2000)
    ]
    low, high = np.quantile(drawn, [0.025, 0.975]).tolist()
    return Estimate(auroc(positive, negative), low, high)


def fit_background(rivalled: list[tuple[Ranks, Floats]]) -> float:
    """The background that best keeps queries above both kinds of off-topic text: (queries, plain, hard)."""

    def worst(background: float) -> float:
        queries, *others = (best(leads(*part, background)) for part in rivalled)
        return min(auroc(queries, other) for other in others)

    return float(max(np.arange(0, 0.8, 0.02), key=worst))


def best(ranks: Ranks) -> Floats:
    """The evidence of each row's first match."""
    return np.array([found[0][1] for found in ranks])


def calibrate(encoder: StyleEncoder, catalog: Catalog) -> tuple[Calibration, dict[str, Estimate]]:
    """The fitted calibration, and what it achieves on the test half."""
    texts, owners = known_texts(catalog)
    vectors = np.array([encoder.embed_query(text) for text in texts], np.float32)
    metric = fit_metric(vectors, owners)
    known = dict(zip(map(mark, texts), vectors, strict=True))
    fitted = Calibration(10.0, 0.0, 0.0, 10.0, 0.6, 0.2, 0.8, metric, load_looks(), known)
    kinds = dict(zip(("queries", "plain", "hard"), text_rows(), strict=True))
    pictures = picture_rows(4, seed=5)
    with tempfile.TemporaryDirectory() as folder:
        index = StyleIndex(encoder, catalog, Path(folder), fitted)
        ranked = {kind: rank_texts(index, rows) for kind, rows in kinds.items()}
        seen = rank_pictures(index, pictures)

    background = fit_background([(r[0::2], rivals[0::2]) for r, rivals in ranked.values()])
    led = {kind: leads(*answers, background) for kind, answers in ranked.items()}
    dev = [pairs(rows[0::2], led[kind][0::2]) for kind, rows in kinds.items()]
    evidence, labels = (np.concatenate(parts) for parts in zip(*dev, strict=True))
    text_slope, text_midpoint = fit_platt(evidence, labels)
    image_slope, image_midpoint = fit_platt(*pairs(pictures[0::2], seen[0::2]))

    def scores(kind: str, first: int) -> Floats:
        return 1 / (1 + np.exp(-text_slope * (best(led[kind][first::2]) - text_midpoint)))

    floor = max(float(np.quantile(scores(k, 0), 1 - FALSE_ACCEPTS)) for k in ("plain", "hard"))
    fitted = replace(
        fitted,
        text_slope=text_slope,
        text_midpoint=text_midpoint,
        background=background,
        image_slope=image_slope,
        image_midpoint=image_midpoint,
        floor=floor,
        strong=_strong(
            hits(kinds["queries"][0::2], led["queries"][0::2], 1), scores("queries", 0), floor
        ),
    )
    test, found = kinds["queries"][1::2], led["queries"][1::2]
    queries, plain, hard = (scores(kind, 1) for kind in kinds)
    return fitted, {
        "text R@1": share(hits(test, found, 1)),
        "text R@3": share(hits(test, found, 3)),
        "picture R@1": share(hits(pictures[1::2], seen[1::2], 1)),
        "AUROC plain off-topic": area(queries, plain),
        "AUROC hard negatives": area(queries, hard),
        "queries above the floor": share(queries >= fitted.floor),
        "plain off-topic above the floor": share(plain >= fitted.floor),
        "hard negatives above the floor": share(hard >= fitted.floor),
        "queries in the strong band": share(queries >= fitted.strong),
        "of them right": share(hits(test, found, 1)[queries >= fitted.strong]),
    }


def _strong(right: NDArray[np.bool_], scores: Floats, floor: float) -> float:
    """The lowest score, at least one half, from which the first match is right in `SURE` of the queries."""
    for bar in np.sort(scores[scores >= max(floor, 0.5)]):
        if right[scores >= bar].mean() >= SURE:
            return float(bar)
    return 1.0


def main() -> None:
    """Print the report; with --write, put the numbers where the product reads them."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--profile", default="starter")
    parser.add_argument("--write", action="store_true")
    args = parser.parse_args()
    profile = load_profiles(ROOT / "models/profiles.toml")[args.profile]
    encoder = open_encoder(profile, ROOT / "models")
    calibration, report = calibrate(encoder, Catalog(ROOT / "styles/library"))
    for name, (value, low, high) in report.items():
        print(f"{name:34} {value:.3f}   {low:.3f} to {high:.3f}")
    print(numbers(calibration))
    if args.write:
        save_calibration(ROOT / "models/calibration.json", encoder.name.split("/")[0], calibration)


if __name__ == "__main__":
    main()
