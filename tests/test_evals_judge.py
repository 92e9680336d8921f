"""Judging by eye: blind pairs, votes that survive a kill, and what they come to."""

import json
import re
import signal
import socket
import subprocess
import sys
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import replace
from hashlib import sha256
from pathlib import Path
from typing import Any, cast

import httpx2
import pytest
from fastapi import FastAPI
from live_server import serving_app
from PIL import Image

from evals.judge import (
    Pair,
    Vote,
    Votes,
    pairs_of,
    read_votes,
    style_pairs,
    tally,
    told,
)
from evals.judge_page import judge_app, serve_judge
from evals.runs import IMAGES, Header, Run, append, read_run, write_header
from evals.statistics import share
from evals.suite import Result
from tools.errors import InvalidRequest

ROOT = Path(__file__).parent.parent
OLD, NEW = "20261120-090000-aaaa", "20261121-140000-bbbb"
STYLES = ("gothic", "bauhaus", "ukiyo-e")
CASES = 12
SERVE = """
import sys
from pathlib import Path
from evals.judge import pairs_of
from evals.judge_page import serve_judge
from evals.runs import read_run
runs = [read_run(Path(folder)) for folder in sys.argv[1:3]]
serve_judge(pairs_of(*runs, "style"), Path(sys.argv[3]), "style", 0)
"""


@pytest.fixture
def make(tmp_path: Path) -> Callable[..., Run]:
    """Makes runs with pictures: renders of their own, sketches and references that all runs share."""

    def run(name: str, captions: Sequence[str] = ("render", "sketch", "reference")) -> Run:
        folder = tmp_path / name
        (folder / IMAGES).mkdir(parents=True)
        suites = ("geometry", "style_fidelity")
        n = dict.fromkeys(suites, CASES)
        header = Header(name, "", suites, "starter", n, 0, False, {}, {}, "", "finished")
        write_header(folder, header)
        for number in range(CASES):
            style = STYLES[number % 3]
            images = {
                "render": paint(folder, f"{name} {number}" if number else "the same in both"),
                "sketch": paint(folder, f"sketch {number}"),
                "reference": paint(folder, style),
            }
            shown = {caption: images[caption] for caption in captions}
            inputs = {"message": f"a {style} lobby", "style": style}
            for suite in suites:  # which show the same renders
                append(folder, Result(suite, f"case-{number}", "", {}, {}, shown, {}, inputs, 0.0))
        return read_run(folder)

    return run


def paint(folder: Path, what: str) -> str:
    """A picture of one colour for every text."""
    rgb = sha256(what.encode()).digest()[:8]
    name = f"{rgb.hex()}.webp"
    Image.new("RGB", (24, 24), (rgb[0], rgb[1], rgb[2])).save(folder / IMAGES / name, lossless=True)
    return name


@contextmanager
def judging(votes: Votes) -> Iterator[httpx2.Client]:
    with serving_app(cast(FastAPI, judge_app(votes))) as live:
        yield live.http


def state(http: httpx2.Client, judge: str = "Ada") -> dict[str, Any]:
    answer = http.get("/state", params={"judge": judge})
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = answer.json()
    return found


def vote(http: httpx2.Client, pair: str, choice: object, judge: str = "Ada") -> httpx2.Response:
    return http.post("/vote", json={"judge": judge, "pair": pair, "choice": choice})


def votes_for(winners: str, question: str = "style") -> list[Vote]:
    """A vote for each letter: a and b the runs, - nobody; the newer run is a, on the left in every other vote."""
    found = []
    for number, winner in enumerate(winners):
        sides = (NEW, OLD) if number % 2 else (OLD, NEW)
        wanted = {"a": NEW, "b": OLD, "-": None}[winner]
        choice = 0 if wanted is None else 1 + sides.index(wanted)
        row = {"id": str(number), "judge": "Ada", "pair": str(number), "case": "", "time": ""}
        found.append(
            Vote(**row, question=question, left=sides[0], right=sides[1], choice=choice)  # type: ignore[arg-type]
        )
    return found


def test_a_whole_session(make: Callable[..., Run], tmp_path: Path) -> None:
    pairs = pairs_of(make(OLD), make(NEW), "style")
    known = {pair.id: pair for pair in pairs}
    votes = Votes(tmp_path / "votes.jsonl", pairs, "style")
    seen: list[str] = []
    with judging(votes) as http:
        now = state(http)
        while now["pair"]:
            pair = known[now["pair"]["id"]]
            assert (now["done"], now["total"]) == (len(seen), CASES - 1)
            assert http.get(now["pair"]["left"]).content == pair.left.read_bytes()
            assert http.get(now["pair"]["right"]).content == pair.right.read_bytes()
            beside = {one["caption"]: http.get(one["src"]).content for one in now["pair"]["beside"]}
            assert beside == {name: file.read_bytes() for name, file in pair.beside.items()}
            seen.append(pair.id)
            upcoming = now["next"] and now["next"]["id"]
            choice = 0 if len(seen) == 1 else 1 + (pair.right_is == NEW)
            now = vote(http, pair.id, choice).json()
            assert (now["pair"] and now["pair"]["id"]) == upcoming
    assert seen == [pair.id for pair in pairs]
    assert f"{NEW} beats {OLD}: 100 %" in now["result"]
    (result,) = tally(read_votes(votes.file))
    assert (result.wins, result.losses, result.ties, result.judges) == (CASES - 2, 0, 1, 1)


def test_nothing_gives_the_sides_away(make: Callable[..., Run], tmp_path: Path) -> None:
    pairs = pairs_of(make(OLD), make(NEW), "style")
    secrets = {OLD, NEW, "own", "other", *(file.name for p in pairs for file in (p.left, p.right))}
    addresses = []
    for number in range(2):
        with judging(Votes(tmp_path / f"{number}.jsonl", pairs, "style")) as http:
            heard = [http.get("/").text, http.get("/state?judge=Ada").text]
            heard.append(vote(http, pairs[0].id, 1).text)
            picture = http.get(json.loads(heard[1])["pair"]["left"])
            heard.append(json.dumps(dict(picture.headers)))
            addresses.append(set(re.findall(r"/picture/[\w-]+", heard[1] + heard[2])))
        for text in heard:
            assert not [s for s in secrets if re.search(rf"\b{re.escape(s)}\b", text)]
    assert len(addresses[0]) == len(addresses[1]) > 8
    assert not addresses[0] & addresses[1]


def test_the_page_reaches_for_nothing_else(make: Callable[..., Run], tmp_path: Path) -> None:
    pairs = pairs_of(make(OLD), make(NEW), "prefer")
    with judging(Votes(tmp_path / "votes.jsonl", pairs, "prefer")) as http:
        page = http.get("/")
    assert "Which one would you rather have?" in page.text
    assert f"{CASES - 1} pairs" in page.text
    assert not re.search(r"https?:|url\(|@import|src=.(?!$)//", page.text)
    policy = page.headers["content-security-policy"]
    assert policy.startswith("default-src 'none'")
    assert "frame-ancestors 'none'" in policy


def test_a_killed_judge_goes_on_where_it_was(make: Callable[..., Run], tmp_path: Path) -> None:
    runs = [make(OLD), make(NEW)]
    file = tmp_path / "votes" / "style.jsonl"
    command = [sys.executable, "-c", SERVE, *(str(run.folder) for run in runs), str(file)]
    for first in (0, 3):
        with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) as server:
            assert server.stdout is not None
            found = re.search(r"http://127\.0\.0\.1:\d+", server.stdout.readline())
            assert found
            with httpx2.Client(base_url=found[0], trust_env=False) as http:
                for number in range(first, first + 3):
                    now = state(http)
                    assert now["done"] == number
                    assert vote(http, now["pair"]["id"], 1).status_code == 200
            server.send_signal(signal.SIGKILL)
        whole = file.read_bytes()
        file.write_bytes(
            whole + whole.splitlines()[-1][:40]
        )  # the kill came in the middle of a line
    assert len({v.pair for v in read_votes(file)}) == len(read_votes(file)) == 6


def test_a_double_press_is_one_vote(make: Callable[..., Run], tmp_path: Path) -> None:
    votes = Votes(tmp_path / "votes.jsonl", pairs_of(make(OLD), make(NEW), "style"), "style")
    first, second = votes.pairs[:2]
    with judging(votes) as http, ThreadPoolExecutor(8) as presses:
        answers = list(presses.map(lambda _: vote(http, first.id, 1), range(8)))
        assert Counter(a.status_code for a in answers) == {200: 1, 409: 7}
        assert {a.json()["code"] for a in answers if a.status_code == 409} == {"stale_pair"}
        assert vote(http, votes.pairs[5].id, 1).status_code == 409  # not on the screen yet
        assert vote(http, "unknown", 1).status_code == 409
        assert state(http)["pair"]["id"] == second.id
    assert [v.pair for v in read_votes(votes.file)] == [first.id]


def test_the_last_vote_can_be_taken_back(make: Callable[..., Run], tmp_path: Path) -> None:
    votes = Votes(tmp_path / "votes.jsonl", pairs_of(make(OLD), make(NEW), "style"), "style")
    first, second = votes.pairs[:2]
    with judging(votes) as http:

        def undo(judge: str) -> httpx2.Response:
            return http.post("/undo", json={"judge": judge})

        assert undo("Ada").json()["code"] == "nothing_to_undo"
        vote(http, first.id, 1)
        vote(http, second.id, 1)
        vote(http, first.id, 2, judge="Bea")
        assert undo("Ada").json()["pair"]["id"] == second.id
        assert undo("Ada").json()["pair"]["id"] == first.id
        assert undo("Ada").status_code == 409
        vote(http, first.id, 0)
    read = {(v.judge, v.choice) for v in read_votes(votes.file)}
    assert read == {("Ada", 0), ("Bea", 2)}
    assert len(votes.file.read_text().splitlines()) == 6  # nothing is ever removed


FOREIGN: tuple[tuple[dict[str, str], int], ...] = (
    ({"Origin": "http://evil.example"}, 403),
    ({"Origin": "null"}, 403),
    ({"Origin": "http://127.0.0.1:1"}, 403),
    ({"Sec-Fetch-Site": "cross-site"}, 403),
    ({"Sec-Fetch-Site": "same-site"}, 403),
    ({"Host": "evil.example"}, 400),
    ({"Content-Type": "text/plain"}, 422),
    ({"Content-Type": "application/x-www-form-urlencoded"}, 422),
)


def test_only_the_page_itself_may_vote(make: Callable[..., Run], tmp_path: Path) -> None:
    votes = Votes(tmp_path / "votes.jsonl", pairs_of(make(OLD), make(NEW), "style"), "style")
    body = json.dumps({"judge": "Ada", "pair": votes.pairs[0].id, "choice": 1})
    with judging(votes) as http:
        own = {"Content-Type": "application/json", "Origin": str(http.base_url).rstrip("/")}
        for headers, status in FOREIGN:
            answer = http.post("/vote", content=body, headers={**own, **headers})
            assert answer.status_code == status, headers
        assert not votes.file.exists()
        assert http.post("/vote", content=body, headers=own).status_code == 200
    assert len(read_votes(votes.file)) == 1


def test_a_vote_that_is_none_is_refused(make: Callable[..., Run], tmp_path: Path) -> None:
    votes = Votes(tmp_path / "votes.jsonl", pairs_of(make(OLD), make(NEW), "style"), "style")
    good = {"judge": "Ada", "pair": votes.pairs[0].id, "choice": 1}
    wrong = [{"choice": c} for c in (3, "1", True, [1])] + [
        {"judge": j} for j in (" ", "x" * 61, 1)
    ]
    with judging(votes) as http:
        for body in (*({**good, **w} for w in wrong), [1]):
            answer = http.post("/vote", json=body)
            assert answer.status_code == 422, body
            assert answer.json()["message"]
        plain = {"Content-Type": "application/json"}
        assert http.post("/vote", content=b"{", headers=plain).status_code == 422
        assert http.get("/picture/../../etc/passwd").status_code == 404
        assert http.get("/picture/unknown").status_code == 404
    assert not votes.file.exists()


def test_sides_are_balanced_and_in_no_pattern(make: Callable[..., Run]) -> None:
    runs = make(OLD), make(NEW)

    def sides(pairs: Sequence[Pair]) -> list[bool]:
        assert all({p.left_is, p.right_is} in ({OLD, NEW}, {"own", "other"}) for p in pairs)
        return [pair.left_is in (NEW, "own") for pair in pairs]

    for pairs in (pairs_of(*runs, "style"), style_pairs(runs[0])):
        assert abs(2 * sum(sides(pairs)) - len(pairs)) <= 1
    orders = {tuple(sides(pairs_of(*runs, "style", seed))) for seed in range(20)}
    assert len(orders) > 10
    assert pairs_of(*runs, "style", 3) == pairs_of(*runs, "style", 3)
    names = [pair.id for pair in pairs_of(*runs, "style")]
    assert sorted(names) == sorted(pair.id for pair in pairs_of(*runs, "style", 9)) != names


def test_what_needs_no_eye_is_not_asked(make: Callable[..., Run]) -> None:
    old, new = make(OLD), make(NEW)
    pairs = pairs_of(old, new, "prefer")
    assert len(pairs) == CASES - 1  # two suites show them all; the first render is the same in both
    assert all(pair.left.read_bytes() != pair.right.read_bytes() for pair in pairs)
    for a, b in ((old, old), (old, replace(new, folder=None)), (old, replace(new, results={}))):
        with pytest.raises(InvalidRequest):
            pairs_of(a, b, "prefer")


def test_a_question_needs_what_it_is_about(make: Callable[..., Run]) -> None:
    old, new = make(OLD, ("render",)), make(NEW, ("render", "sketch"))
    assert pairs_of(old, new, "prefer")
    for question in ("style", "sketch"):
        with pytest.raises(InvalidRequest, match="show what the question is about"):
            pairs_of(old, new, question)
    with pytest.raises(InvalidRequest, match="two styles"):
        style_pairs(new)


def test_a_style_is_matched_against_another_one(make: Callable[..., Run]) -> None:
    run = make(NEW)
    references = {r.images["reference"]: r.inputs["style"] for r in run.results["geometry"]}
    styles = {r.images["render"]: r.inputs["style"] for r in run.results["geometry"]}
    pairs = style_pairs(run)
    assert len(pairs) == CASES
    for pair in pairs:
        own, other = (pair.left, pair.right) if pair.left_is == "own" else (pair.right, pair.left)
        wanted = styles[pair.beside["render"].name]
        assert references[own.name] == wanted != references[other.name]
        assert not pair.said  # it would name the style


def test_a_win_rate_is_of_the_votes_that_decided() -> None:
    (result,) = tally(votes_for("aaab--"))
    assert (result.first, result.second) == (NEW, OLD)
    assert (result.wins, result.losses, result.ties) == (3, 1, 2)
    assert result.rate == share([True, True, True, False])
    assert "75 % (95 % interval 30 to 95 %)" in told(result)
    assert "2 could not be told" in told(result)
    (nobody,) = tally(votes_for("--"))
    assert nobody.rate is None
    assert "no vote decided" in told(nobody)


def test_a_style_that_cannot_be_told_is_not_matched() -> None:
    sides = {NEW: "own", OLD: "other"}
    votes = [
        replace(v, left=sides[v.left], right=sides[v.right])
        for v in votes_for("aaaaaaaab-", "match")
    ]
    (result,) = tally(votes)
    assert (result.first, result.wins, result.losses, result.ties) == ("own", 8, 1, 1)
    assert result.rate == share([True] * 8 + [False] * 2)
    assert told(result).startswith("style match by eye: 80 % (95 % interval 49 to 94 %)")


def test_questions_are_counted_apart_and_a_leaning_judge_is_seen() -> None:
    left = [replace(vote, choice=1) for vote in votes_for("a" * 20)]
    results = tally([*left, *votes_for("ab", "sketch")])
    assert [r.question for r in results] == ["style", "sketch"]
    assert results[0].rate == share([True, False] * 10)
    assert "beware: the left one was chosen 100 %" in told(results[0])
    assert "beware" not in told(results[1])


def test_votes_of_other_pairs_and_questions_are_left_alone(
    make: Callable[..., Run], tmp_path: Path
) -> None:
    file, runs = tmp_path / "votes.jsonl", (make(OLD), make(NEW))
    for question in ("style", "sketch"):
        votes = Votes(file, pairs_of(*runs, question), question)
        assert len(votes.left_for("Ada")) == CASES - 1
        votes.vote("Ada", votes.pairs[0].id, 1)
        assert [v.question for v in votes.standing()] == [question]
    assert len(read_votes(file)) == 2
    assert read_votes(tmp_path / "nothing.jsonl") == []


def test_a_port_that_is_taken_is_named(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(InvalidRequest, match=rf"Port {port}.*--port"):
            serve_judge([], tmp_path / "votes.jsonl", "style", port)


def test_importing_it_opens_no_model() -> None:
    code = """
import sys
import evals.judge, evals.judge_page, evals.report, evals.report.page, evals.report.junit
heavy = {"torch", "chromadb", "langgraph", "diffusers", "transformers", "onnxruntime", "jinja2", "starlette"}
print(sorted(heavy & set(sys.modules)))
"""
    said = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert said.stdout.strip() == "[]", said.stderr
