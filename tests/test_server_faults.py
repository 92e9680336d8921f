"""A studio whose engine stands still or whose disk is full: an error that says so, and all well again afterwards."""

import asyncio
import os
import sqlite3
import subprocess
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pytest
from conftest import HashingEncoder, PaintedEngine
from live_server import PATIENCE_S, LiveStudio, held, only, png, problem, run_url, serving, until
from PIL import Image

from graph.context import Context, Studio
from graph.opening import opened_once
from server.eventlog import EventLog
from styles.calibration import Calibration
from styles.index import StyleIndex
from tools.disk import writing
from tools.errors import DiskFull, EngineBusy
from tools.imaging import ImageEngine, ImageRequest, OnStep, Step
from tools.lane import GpuLane

STEP_S = 0.4  # what the studio waits for a step
LONG_S = 1000.0
ASKED: dict[str, Any] = {"message": "a neon city", "style": "none"}


@dataclass
class StuckEngine(PaintedEngine):
    """Stands still in its fourth step until the test lets it go; like the real one it takes one render at a time."""

    within: str = "step"  # or "preview", "save"
    free: threading.Event = field(default_factory=threading.Event)
    begun: threading.Event = field(default_factory=threading.Event)
    over: threading.Event = field(default_factory=threading.Event)

    def generate(
        self, request: ImageRequest, on_step: OnStep, saved: bytes | None = None
    ) -> Image.Image:
        if self.begun.is_set():
            raise EngineBusy("The engine is at another render: try again.")
        image = self.paint(request)

        def stand_still(what: str, number: int) -> None:
            if (what, number) == (self.within, 4):
                self.begun.set()
                assert self.free.wait(PATIENCE_S)

        def step(number: int) -> Step:
            def preview() -> Image.Image:
                stand_still("preview", number)
                return image.resize((16, 16))

            def save() -> bytes:
                stand_still("save", number)
                return str(number).encode()

            stand_still("step", number)
            return Step(number, request.steps, preview, save)

        try:
            for number in range(1, request.steps + 1):
                on_step(step(number))
        finally:
            self.over.set()
        return image


def painted(context: Context) -> Studio:
    """The studio of the fixture."""

    async def studio() -> Studio:
        return await context.studio("starter")

    return asyncio.run(studio())


@contextmanager
def impatient(context: Context, *engines: ImageEngine) -> Iterator[LiveStudio]:
    """Serve a studio that opens these engines one after another, the last one from then on."""
    lane, left = GpuLane(STEP_S, LONG_S), list(engines)
    opened = painted(context)

    def open_studio(_: str) -> Studio:
        return replace(opened, engine=left.pop(0) if len(left) > 1 else left[0])

    try:
        with serving(replace(context, lane=lane, studio=opened_once(open_studio, lane))) as studio:
            yield studio
    finally:
        for engine in engines:
            if isinstance(engine, StuckEngine):
                engine.free.set()
        lane.close()


def files(folder: Path) -> dict[str, int]:
    """Every file and when it changed."""
    return {str(path): path.stat().st_mtime_ns for path in folder.rglob("*") if path.is_file()}


@pytest.mark.parametrize("within", ["step", "preview", "save"])
def test_an_engine_that_hangs_costs_its_run_alone(context: Context, within: str) -> None:
    stuck, fresh = StuckEngine(within=within), PaintedEngine()
    with impatient(context, stuck, fresh) as studio:
        events = studio.chat(**ASKED, seed=1)
        fault = only(events, "error")
        assert (fault["code"], fault["retryable"]) == ("engine_hung", True)
        assert "try again" in fault["message"]
        assert only(events, "end") == {"status": "error"}
        assert [e.data["step"] for e in events if e.name == "progress"] == [1, 2, 3]

        assert only(studio.chat(**ASKED, seed=2), "end") == {"status": "success"}
        assert len(fresh.requests) == 1
        assert studio.http.get("/readyz").status_code == 200

        there = files(context.settings.data_dir / "artifacts")
        stuck.free.set()
        assert stuck.over.wait(PATIENCE_S)
        assert only(studio.chat(**ASKED, seed=2), "end") == {"status": "success"}
        assert studio.replay(events[0].data) == events
        assert files(context.settings.data_dir / "artifacts").keys() == there.keys()
        assert files(context.settings.data_dir / "unfinished") == {}


def test_whoever_waits_behind_a_hung_render_gets_a_fresh_engine(context: Context) -> None:
    stuck, fresh = StuckEngine(), PaintedEngine()
    with impatient(context, stuck, fresh) as studio, ThreadPoolExecutor(1) as threads:
        first = threads.submit(studio.chat, **ASKED, seed=1)
        assert stuck.begun.wait(PATIENCE_S)
        assert only(studio.chat(**ASKED, seed=2), "end") == {"status": "success"}
        assert only(first.result(), "error")["code"] == "engine_hung"
        assert [request.seed for request in fresh.requests] == [2]


def test_a_hung_render_can_be_cancelled(context: Context) -> None:
    stuck = StuckEngine()
    with (
        impatient(context, stuck, PaintedEngine()) as studio,
        studio.chatting(**ASKED) as events,
    ):
        metadata = next(events).data
        assert stuck.begun.wait(PATIENCE_S)
        assert studio.http.post(f"{run_url(metadata)}/cancel").is_success
        assert only(list(events), "end") == {"status": "cancelled"}
        assert only(studio.chat(**ASKED), "end") == {"status": "success"}


def test_an_engine_that_hangs_again_and_again_is_not_ready(context: Context) -> None:
    with impatient(context, StuckEngine(), StuckEngine(), PaintedEngine()) as studio:
        for _ in range(2):
            assert studio.http.get("/readyz").status_code == 200
            assert only(studio.chat(**ASKED), "error")["code"] == "engine_hung"
        told = problem(studio.http.get("/readyz"), 503, "engine_hung")
        assert "2 times in a row" in told["detail"]
        assert "ARTISAN_STEP_TIMEOUT_S" in told["detail"]
        assert studio.http.get("/healthz").status_code == 200
        assert only(studio.chat(**ASKED), "end") == {"status": "success"}
        assert studio.http.get("/readyz").status_code == 200


def test_models_whose_opening_hangs_are_opened_anew(context: Context) -> None:
    lane, gate, tried = GpuLane(LONG_S, STEP_S), threading.Event(), []
    opened = painted(context)

    def open_studio(name: str) -> Studio:
        tried.append(name)
        if len(tried) == 1:
            assert gate.wait(PATIENCE_S)
        return opened

    own = replace(context, lane=lane, studio=opened_once(open_studio, lane))
    try:
        with serving(own) as studio:
            assert only(studio.chat(**ASKED), "error")["code"] == "engine_hung"
            assert only(studio.chat(**ASKED), "end") == {"status": "success"}
            until(lambda: studio.http.get("/readyz").status_code == 200)
            gate.set()
            assert only(studio.chat(**ASKED), "end") == {"status": "success"}
            assert len(tried) == 2
    finally:
        gate.set()
        lane.close()


@dataclass(frozen=True)
class SmallDisk:
    """A file system of its own."""

    folder: Path

    def fill(self) -> None:
        """Leave no byte free."""
        disk = os.statvfs(self.folder)
        with (self.folder / "filler").open("wb") as file:
            file.write(bytes(disk.f_bavail * disk.f_frsize))

    def free(self) -> None:
        """Make room again."""
        (self.folder / "filler").unlink()

    def remount(self, how: str) -> None:
        """`ro` or `rw`."""
        subprocess.run(["mount", "-o", f"remount,{how}", self.folder], check=True)


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[SmallDisk]:
    folder = tmp_path / "disk"
    folder.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=24m", "tmpfs", str(folder)]
    if subprocess.run(mount, capture_output=True, check=False).returncode:
        pytest.skip("mounting a small disk needs root")
    yield SmallDisk(folder)
    subprocess.run(["umount", "--lazy", folder], check=True)


@pytest.fixture
def on_disk(context: Context, disk: SmallDisk) -> Context:
    """The studio, with its pictures and unfinished renders on a disk of their own."""
    data_dir = context.settings.data_dir
    data_dir.mkdir()
    for name in ("artifacts", "unfinished"):
        (disk.folder / name).mkdir()
        (data_dir / name).symlink_to(disk.folder / name)
    return context


def test_a_full_disk_is_said_to_be_one_and_space_is_all_it_takes(
    on_disk: Context, disk: SmallDisk
) -> None:
    with serving(on_disk) as studio:
        first = only(studio.chat(**ASKED, seed=1), "result")["image_url"]
        picture = studio.http.get(first).content
        stored = files(disk.folder)
        disk.fill()
        for _ in range(2):
            refused = studio.http.post("/artifacts", files={"file": ("a.png", png())})
            told = problem(refused, 507, "disk_full")
            assert told["retryable"] is True
            assert str(on_disk.settings.data_dir) in told["detail"]
            events = studio.chat(**ASKED, seed=2)
            fault = only(events, "error")
            assert (fault["code"], fault["retryable"]) == ("disk_full", True)
            assert only(events, "end") == {"status": "error"}
            progress = [e.data for e in events if e.name == "progress"]
            assert [p["step"] for p in progress] == [1, 2, 3, 4, 5, 6], "rendered more than once"
            assert {p["preview_url"] for p in progress} == {None}
        assert studio.http.get(first).content == picture
        disk.free()
        assert files(disk.folder) == stored
        assert studio.http.post("/artifacts", files={"file": ("a.png", png())}).status_code == 201
        assert only(studio.chat(**ASKED, seed=2), "end") == {"status": "success"}
        assert studio.http.get(first).content == picture


def test_a_disk_that_turns_read_only_is_read(on_disk: Context, disk: SmallDisk) -> None:
    with serving(on_disk) as studio:
        first = only(studio.chat(**ASKED, seed=1), "result")["image_url"]
        disk.remount("ro")
        refused = studio.http.post("/artifacts", files={"file": ("a.png", png())})
        told = problem(refused, 503, "data_dir_read_only")
        assert "writable" in told["detail"]
        fault = only(studio.chat(**ASKED, seed=2), "error")
        assert (fault["code"], fault["retryable"]) == ("data_dir_read_only", True)
        assert studio.http.get(first).status_code == 200
        disk.remount("rw")
        assert only(studio.chat(**ASKED, seed=2), "end") == {"status": "success"}


def test_a_disk_that_fills_up_in_the_middle_of_a_run_ends_it(
    context: Context, disk: SmallDisk
) -> None:
    """The log and the checkpoints are on it, too."""
    context.settings.data_dir.symlink_to(disk.folder)
    with held(context) as (studio, engine), studio.chatting(**ASKED) as events:
        metadata = next(events).data
        engine.gate.release(1)
        seen = next(event for event in events if event.name == "progress")
        disk.fill()
        engine.gate.release(100)
        rest = list(events)
        assert only(rest, "error")["code"] == "disk_full"
        assert rest[-1].data == {"status": "error"}
        disk.free()
        until(lambda: studio.thread(metadata["thread_id"])["runs"][-1]["status"] == "error")
        told = studio.replay(metadata)
        assert [event.id for event in told] == list(range(1, len(told) + 1))
        assert seen in told
        assert told[-2:] == rest[-2:]
        assert only(studio.chat(**ASKED), "end") == {"status": "success"}


def test_a_run_that_waits_for_space_is_not_ready_and_begins_once_there_is_some(
    context: Context, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its turn has come, and the disk does not take that it begins."""

    async def refused(*_: Any) -> None:
        error = sqlite3.OperationalError("database or disk is full")
        error.sqlite_errorcode = sqlite3.SQLITE_FULL
        raise error

    with serving(context) as studio, monkeypatch.context() as full:
        until(lambda: studio.http.get("/readyz").status_code == 200)
        full.setattr(EventLog, "promote", refused)
        with studio.chatting(**ASKED) as events:
            assert next(events).name == "metadata"
            until(lambda: studio.http.get("/readyz").status_code == 503)
            problem(studio.http.get("/readyz"), 503, "disk_full")
            full.undo()
            assert list(events)[-1].data == {"status": "success"}
        until(lambda: studio.http.get("/readyz").status_code == 200)


def test_a_full_data_folder_loses_nothing(context: Context, disk: SmallDisk) -> None:
    """The log, the checkpoints, pictures and styles on one disk: every call says so, and space is all it takes."""
    context.settings.data_dir.symlink_to(disk.folder)
    form: dict[str, Any] = {name: (None, value) for name, value in ASKED.items()}
    style: dict[str, Any] = {
        "name": (None, "New Look"),
        "description": (None, "A look that is new."),
        "tags": (None, "new"),
        "prompt": (None, "{prompt}, new"),
        "images": ("a.png", png()),
    }
    with serving(context) as studio:
        whole = studio.chat(**ASKED, seed=1)
        disk.fill()
        for _ in range(2):
            problem(studio.http.post("/chat", files=form), 507, "disk_full")
            problem(studio.http.post("/styles", files=style), 507, "disk_full")
            problem(
                studio.http.post("/artifacts", files={"file": style["images"]}), 507, "disk_full"
            )
        assert studio.replay(whole[0].data) == whole
        disk.free()
        assert studio.http.post("/styles", files=style).status_code == 201
        assert only(studio.chat(**ASKED, seed=2), "end") == {"status": "success"}
        assert studio.replay(whole[0].data) == whole


def test_an_index_that_found_no_space_opens_once_there_is(
    context: Context, disk: SmallDisk
) -> None:
    """Bug: Chroma handed out the client that had failed to open, until the next start."""
    even = Calibration(25, 0.35, 0, 10, 0.5, 0.4, 0.8)
    folder = disk.folder / "index"
    disk.fill()
    for _ in range(2):
        with pytest.raises(DiskFull), writing(folder):
            StyleIndex(HashingEncoder(), context.catalog, folder, even)
    disk.free()
    assert StyleIndex(HashingEncoder(), context.catalog, folder, even).search("gold lobby")
