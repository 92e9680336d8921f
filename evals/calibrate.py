"""Fit the retrieval calibration of a profile on the dev half of the datasets, and report on the test half.

    python -m evals.calibrate [--profile starter] [--write]

Rows with an even number are dev, odd ones test. A positive is a query with its own style; negatives are the nearest
wrong style of every query and the nearest style of every off-topic text.
"""

import argparse
import json
import math
import tempfile
import tomllib
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from styles.catalog import Catalog
from styles.index import Calibration, StyleIndex
from tools.encoders import open_encoder
from tools.encoding import StyleEncoder
from tools.profiles import load_profiles
from training.data import LINE_WIDTH, SIZE, load_palettes
from training.painters import Look, jitter_palette, paint
from training.world import draw_scene, rasterise

DATASETS = Path(__file__).parent / "datasets"
ROOT = Path(__file__).parents[1]
FALSE_ACCEPTS = 0.03  # of plain off-topic texts that the floor may let through
SURE = 0.9  # share of right answers from which a style is taken without a question

Rows = list[tuple[Any, str | None]]  # (text or picture, the style it means or None)
Ranks = list[list[tuple[str, float]]]  # of each row, (slug, cosine) best first
Floats = NDArray[np.float64]


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


def rank(index: StyleIndex, encoder: StyleEncoder, rows: Rows) -> Ranks:
    """What the index answers to each row."""
    ranks = []
    for query, _ in rows:
        of_image = isinstance(query, Image.Image)
        vector = encoder.embed_image(query) if of_image else encoder.embed_query(query)
        ranks.append(index.nearest(np.array(vector, np.float32), 8, of_image=of_image))
    return ranks


def pairs(rows: Rows, ranks: Ranks) -> tuple[Floats, Floats]:
    """Cosines and 0/1 labels of each row's true style and of its nearest other style."""
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


def recall(rows: Rows, ranks: Ranks, k: int) -> float:
    """Share of rows whose style is among the first `k`."""
    hits = [
        style in [slug for slug, _ in found[:k]]
        for (_, style), found in zip(rows, ranks, strict=True)
    ]
    return float(np.mean(hits))


def best_scores(calibration: Calibration, ranks: Ranks) -> Floats:
    """The score of each row's first match to a text."""
    return np.array([calibration.score(found[0][1], of_image=False) for found in ranks])


def calibrate(encoder: StyleEncoder, catalog: Catalog) -> tuple[Calibration, dict[str, float]]:
    """The fitted calibration, and what it achieves on the test half."""
    neutral = Calibration(10.0, 0.4, 10.0, 0.6, 0.2, 0.8)
    with tempfile.TemporaryDirectory() as folder:
        index = StyleIndex(encoder, catalog, Path(folder), neutral)
        queries, plain, hard = text_rows()
        pictures = picture_rows(4, seed=5)
        ranked = {id(rows): rank(index, encoder, rows) for rows in (queries, plain, hard, pictures)}

    def half(rows: Rows, first: int) -> tuple[Rows, Ranks]:
        return rows[first::2], ranked[id(rows)][first::2]

    dev = [half(rows, 0) for rows in (queries, plain, hard)]
    parts = [pairs(*part) for part in dev]
    text_fit = fit_platt(
        np.concatenate([p[0] for p in parts]), np.concatenate([p[1] for p in parts])
    )
    image_fit = fit_platt(*pairs(*half(pictures, 0)))
    fitted = replace(
        neutral,
        text_slope=text_fit[0],
        text_midpoint=text_fit[1],
        image_slope=image_fit[0],
        image_midpoint=image_fit[1],
    )
    floor = float(np.quantile(best_scores(fitted, dev[1][1]), 1 - FALSE_ACCEPTS))
    fitted = replace(fitted, floor=floor, strong=_strong(*dev[0], fitted, floor))

    test_rows, test_ranks = half(queries, 1)
    scores = {name: best_scores(fitted, half(rows, 1)[1]) for name, rows in
              (("queries", queries), ("plain", plain), ("hard", hard))}  # fmt: skip
    return fitted, {
        "text R@1": recall(test_rows, test_ranks, 1),
        "text R@3": recall(test_rows, test_ranks, 3),
        "picture R@1": recall(*half(pictures, 1), 1),
        "AUROC plain off-topic": auroc(scores["queries"], scores["plain"]),
        "AUROC hard negatives": auroc(scores["queries"], scores["hard"]),
        "queries above the floor": float((scores["queries"] >= fitted.floor).mean()),
        "plain off-topic above the floor": float((scores["plain"] >= fitted.floor).mean()),
        "hard negatives above the floor": float((scores["hard"] >= fitted.floor).mean()),
        "queries in the strong band": float((scores["queries"] >= fitted.strong).mean()),
    }


def _strong(rows: Rows, ranks: Ranks, calibration: Calibration, floor: float) -> float:
    """The lowest score, at least one half, from which the first match is right in `SURE` of the dev queries."""
    scores = best_scores(calibration, ranks)
    right = np.array([found[0][0] == style for (_, style), found in zip(rows, ranks, strict=True)])
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
    for name, value in report.items():
        print(f"{name:34} {value:.3f}")
    rounded = {
        key: round(value, 5) for key, value in asdict(calibration).items() if math.isfinite(value)
    }
    print(rounded)
    if args.write:
        path = ROOT / "models/calibration.json"
        table = json.loads(path.read_text("utf-8")) if path.exists() else {}
        table[encoder.name.split("/")[0]] = rounded
        path.write_text(json.dumps(table, indent=1) + "\n", "utf-8")


if __name__ == "__main__":
    main()
