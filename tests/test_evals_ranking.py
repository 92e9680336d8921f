"""Ranking measures against ir-measures, and the reasons that go with them."""

import random

import pytest
from ir_measures import RR, Qrel, R, ScoredDoc, iter_calc, nDCG

from evals.ranking import ndcg, recall, reciprocal_rank, score_ranking


def _rankings(count: int) -> list[tuple[list[str], list[str]]]:
    """Rankings of 2 to 30 items, of which some are relevant, and so are some that were not found."""
    draw = random.Random(0)
    made = []
    for _ in range(count):
        ranked = [f"s{i:02}" for i in range(draw.randint(2, 30))]
        draw.shuffle(ranked)
        relevant = draw.sample(ranked, draw.randint(0, min(5, len(ranked))))
        missing = [f"m{i}" for i in range(draw.randint(0 if relevant else 1, 3))]
        made.append((ranked, relevant + missing))
    return made


def test_they_agree_with_ir_measures() -> None:
    rankings = _rankings(200)
    qrels = [Qrel(f"q{n}", item, 1) for n, (_, wanted) in enumerate(rankings) for item in wanted]
    run = [
        ScoredDoc(f"q{n}", item, -float(rank))
        for n, (ranked, _) in enumerate(rankings)
        for rank, item in enumerate(ranked)
    ]
    compared = 0
    for found in iter_calc([R @ 1, R @ 3, R @ 5, RR, nDCG @ 5, nDCG @ 10], qrels, run):
        ranked, wanted = rankings[int(found.query_id[1:])]
        k = found.measure.params.get("cutoff", 1)
        own = {
            "R": recall(ranked, wanted, k),
            "RR": reciprocal_rank(ranked, wanted),
            "nDCG": ndcg(ranked, wanted, k),
        }
        assert own[str(found.measure.NAME)] == pytest.approx(found.value), (found, ranked, wanted)
        compared += 1
    assert compared == 6 * len(rankings)


def test_one_right_answer_is_scored_with_its_reason() -> None:
    scores = score_ranking(["art-nouveau", "art-deco", "memphis"], "art-deco")
    assert {name: round(score.value, 3) for name, score in scores.items()} == {
        "recall@1": 0,
        "recall@3": 1,
        "recall@5": 1,
        "mrr": 0.5,
        "ndcg@5": 0.631,
    }
    assert {score.reason for score in scores.values()} == {"art-deco at rank 2, behind art-nouveau"}


def test_what_is_not_found_says_what_is() -> None:
    scores = score_ranking(["gothic", "memphis"], "art-deco")
    assert {score.value for score in scores.values()} == {0.0}
    assert scores["mrr"].reason == "art-deco is not among the first 2, gothic leads"
    assert score_ranking(["gothic"], "gothic")["mrr"].reason == "gothic is first"
    assert score_ranking([], "gothic")["mrr"].reason == "gothic was wanted, and nothing was found"


def test_nothing_relevant_is_an_error() -> None:
    with pytest.raises(ValueError, match="nothing is relevant"):
        ndcg(["a"], [], 5)
