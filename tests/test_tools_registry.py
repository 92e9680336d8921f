"""Versions that never change, aliases that move all at once, and a log that only grows."""

import json
import shutil
import sqlite3
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from conftest import ROOT
from safetensors.numpy import save_file
from small_models import edit, write_models, write_thresholds

from tools.errors import AppError, Conflict, DiskFailed, InvalidRequest, NotFound, WeightsMissing
from tools.ledger import Version
from tools.packs import pack_fault, write_manifest
from tools.profiles import ProfileError, load_profiles
from tools.prompt_ruleset import load_rules
from tools.registry import SHIPPED, Registry
from tools.version_diff import differences
from tools.versions import KINDS, Kind, version_name, versions_in


@pytest.fixture
def models(tmp_path: Path) -> Path:
    """What ships."""
    return write_models(tmp_path / "models")


@pytest.fixture
def registry(tmp_path: Path, models: Path) -> Registry:
    return Registry(tmp_path / "var" / "registry", models)


@pytest.fixture
def changed(tmp_path: Path, models: Path) -> Path:
    """Other models: another control scale, another floor, another word in a rule."""
    other = shutil.copytree(models, tmp_path / "changed")
    edit(other / "profiles.toml", "control_scale = 1.0", "control_scale = 0.2")
    write_thresholds(other, floor=0.3)
    edit(other / "prompts.toml", "summer light", "high summer light")
    return other


def refused(kind: type[AppError], code: str, act: Callable[[], object]) -> str:
    with pytest.raises(kind) as error:
        act()
    assert error.value.code == code, error.value.message
    return error.value.message


def files(folder: Path) -> dict[str, bytes]:
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file()
        and path.suffix not in (".db", ".db-wal", ".db-shm")
        and path.name != "lock"
    }


# --- versions -----------------------------------------------------------------------------


def test_before_anything_is_registered_the_shipped_models_serve(
    registry: Registry, models: Path
) -> None:
    assert registry.production() == versions_in(models)
    assert registry.folder_of(registry.production()) == models
    assert (registry.versions(), registry.log(), registry.last()) == ([], [], 0)
    assert not (models.parent / "var").exists(), "looking has written something"


@pytest.mark.parametrize("kind", KINDS)
def test_a_version_outlives_its_source(registry: Registry, changed: Path, kind: Kind) -> None:
    version = registry.register(kind, changed, "a try")
    kept = files(registry.part(version))
    for path, data in kept.items():
        assert (changed / path).read_bytes() == data
        with (changed / path).open("ab") as file:  # in place, as a link would follow
            file.write(b" ")
    assert files(registry.part(version)) == kept
    assert not any((registry.part(version) / path).stat().st_mode & 0o222 for path in kept)
    assert (version.kind, version.note, version.source) == (kind, "a try", str(changed))
    assert version.card == ("starter/README.md" if kind == "pack" else "")


def test_the_same_content_is_the_same_version(registry: Registry, changed: Path) -> None:
    first = registry.register("prompts", changed, "first")
    again = shutil.copytree(changed, changed.with_name("again"))
    assert registry.register("prompts", again, "second") == first
    assert len(registry.log()) == 1
    card = again / "starter" / "README.md"
    name = version_name("pack", again)
    card.write_text("Better words.")
    assert version_name("pack", again) == name, "a model card is no model"


def test_a_version_is_found_by_the_beginning_of_its_id(registry: Registry, changed: Path) -> None:
    rules, pack = registry.register("prompts", changed), registry.register("pack", changed)
    assert pack.name.startswith("starter@")
    assert registry.get(rules.name) == registry.get(rules.name[8:14]) == rules
    assert registry.get(f"starter@{pack.name[8:12]}") == pack
    for unknown in ("", "@", "prompts@", "starter@zz", f"thresholds@{pack.name[8:]}", "production"):
        message = refused(NotFound, "unknown_version", lambda name=unknown: registry.get(name))  # type: ignore[misc]
        assert "choose one of" in message


def test_what_is_no_part_is_refused_with_the_file(registry: Registry, changed: Path) -> None:
    (changed / "starter/unet/config.json").unlink()
    message = refused(InvalidRequest, "broken_version", lambda: registry.register("pack", changed))
    assert "starter/unet/config.json is missing" in message
    npz = changed / "calibration-starter.npz"
    vectors = npz.read_bytes()
    npz.unlink()
    message = refused(
        InvalidRequest, "broken_version", lambda: registry.register("thresholds", changed)
    )
    assert "calibration-starter.npz" in message
    npz.write_bytes(vectors)
    (changed / "calibration.json").write_text('{"starter": {"floor": 1}}')
    assert "encoder" in refused(
        InvalidRequest, "broken_version", lambda: registry.register("thresholds", changed)
    )
    edit(changed / "prompts.toml", "lettering", "letters")
    assert "lettering" in refused(
        AppError, "broken_prompts", lambda: registry.register("prompts", changed)
    )
    (changed / "profiles.toml").unlink()
    with pytest.raises(ProfileError, match=r"profiles\.toml"):
        registry.register("pack", changed)
    assert registry.versions() == []


def test_damage_is_found_and_mended_by_registering_again(registry: Registry, changed: Path) -> None:
    version = registry.register("prompts", changed)
    copy = registry.part(version) / "prompts.toml"
    copy.chmod(0o644)
    copy.write_text("other rules")
    with pytest.raises(WeightsMissing, match=version.name):
        registry.part(version)
    with pytest.raises(WeightsMissing):
        registry.promote([version], "staging")
    assert registry.register("prompts", changed) == version
    assert load_rules(registry.part(version) / "prompts.toml")
    assert [line.action for line in registry.log()] == ["register"]


DIE = """
import os, signal, sys
from pathlib import Path
import tools.shelf
from tools.registry import Registry
from tools.versions import version_name

folder, models = map(Path, sys.argv[1:])
registry, real = Registry(folder, models), os.fsync

def register_and_die(after):
    def fsync(handle):
        nonlocal after
        real(handle)
        after -= 1
        if not after:
            os.kill(os.getpid(), signal.SIGKILL)

    tools.shelf.os.fsync = fsync
    registry.register("pack", models)
    os._exit(0)

for syncs in range(1, 100):
    if not (child := os.fork()):
        register_and_die(syncs)
    _, status = os.waitpid(child, 0)
    for place in (folder / "pack").glob("*"):
        assert version_name("pack", place).endswith(place.name), f"{syncs}: half a version"
    assert all(registry.part(version) for version in registry.versions())
    if os.waitstatus_to_exitcode(status) == 0:
        print(syncs)
        break
    assert os.waitstatus_to_exitcode(status) == -signal.SIGKILL
"""


def test_a_kill_in_the_middle_leaves_nothing_half(registry: Registry, models: Path) -> None:
    """At every place where something has just come to the disk; the next one goes on."""
    folder = models.parent / "var" / "registry"
    command = [sys.executable, "-c", DIE, str(folder), str(models)]
    ran = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert ran.returncode == 0, ran.stderr
    assert int(ran.stdout) > 8
    (version,) = registry.versions()
    whole = files(registry.part(version))
    assert files(folder) == {
        f"pack/{version.name[8:]}/{path}": data for path, data in whole.items()
    }


# --- aliases and the log ------------------------------------------------------------------


def test_a_promotion_moves_production_and_remembers_the_one_before(
    registry: Registry, changed: Path
) -> None:
    shipped = registry.production()
    version = registry.register("prompts", changed)
    registry.promote(
        [version], "production", instead_of=shipped, reason="better", detail={"run": "r1"}
    )
    assert registry.production() == {**shipped, "prompts": version.name}
    assert registry.release("previous") == registry.release(SHIPPED) == shipped
    assert registry.aliases()["prompts"] == {"production": version.name, "previous": SHIPPED}
    assert registry.get(version.name).eval_run == "r1"
    assert registry.rollback(["prompts"]) == {"prompts": SHIPPED}
    assert registry.production() == shipped
    assert registry.rollback(["prompts"]) == {"prompts": version.name}
    last = registry.log()[-1]
    assert (last.action, last.version, last.before) == ("rollback", version.name, SHIPPED)
    assert [line.number for line in registry.log()] == list(range(1, registry.last() + 1))


def test_staging_is_a_release_of_its_own(registry: Registry, changed: Path) -> None:
    shipped, version = registry.production(), registry.register("pack", changed)
    registry.promote([version], "staging")
    assert registry.production() == shipped
    assert registry.release("staging") == {**shipped, "pack": version.name}
    folder = registry.folder_of(registry.release("staging"))
    assert load_profiles(folder / "profiles.toml")["starter"].control_scale == 0.2
    assert versions_in(folder) == registry.release("staging")
    assert pack_fault(folder / "starter") is None
    registry.unalias("pack")
    assert registry.release("staging") == shipped
    refused(NotFound, "unknown_version", lambda: registry.unalias("pack"))


def test_a_release_links_the_packs_of_the_hub(
    registry: Registry, changed: Path, models: Path
) -> None:
    versions = registry.release(registry.register("prompts", changed).name)
    folder = registry.folder_of(versions)
    assert not (folder / "sd15").exists()
    (models / "sd15").mkdir()
    write_manifest(models / "sd15")
    assert (registry.folder_of(versions) / "sd15").resolve() == models / "sd15"


def test_what_belongs_together_moves_together(registry: Registry, tmp_path: Path) -> None:
    other = write_models(tmp_path / "other", encoder='{"size": 2}')
    pack, thresholds = registry.register("pack", other), registry.register("thresholds", other)
    for alone in (pack, thresholds):
        message = refused(
            Conflict,
            "misfit",
            lambda version=alone: registry.promote([version], "production"),  # type: ignore[misc]
        )
        assert "fitted with the encoder" in message
    assert registry.aliases()["pack"] == {}
    registry.promote([pack, thresholds], "production")
    refused(Conflict, "misfit", lambda: registry.rollback(["pack"]))
    assert registry.rollback(["pack", "thresholds"]) == {"pack": SHIPPED, "thresholds": SHIPPED}
    better = write_models(tmp_path / "better", unet='{"size": 2}')
    registry.promote(
        [registry.register("pack", better)], "production"
    )  # thresholds know their encoder alone


def test_what_cannot_be_promoted(registry: Registry, changed: Path, models: Path) -> None:
    shipped, version = registry.production(), registry.register("prompts", changed)
    refused(Conflict, "no_previous", lambda: registry.rollback(["prompts"]))
    registry.promote([version], "production")
    refused(Conflict, "already_promoted", lambda: registry.promote([version], "production"))
    other = registry.register("prompts", models)
    refused(
        Conflict,
        "production_moved",
        lambda: registry.promote([other], "production", instead_of=shipped),
    )
    refused(
        InvalidRequest, "invalid_request", lambda: registry.promote([version, other], "staging")
    )
    assert registry.production()["prompts"] == version.name


PROMOTE = """
import sys
from pathlib import Path
from tools.errors import Conflict
from tools.registry import Registry

registry = Registry(Path(sys.argv[1]), Path(sys.argv[2]))
before = registry.production()
print("ready", flush=True)
sys.stdin.readline()
try:
    registry.promote([registry.get(sys.argv[3])], "production", instead_of=before)
    print("won")
except Conflict as error:
    print(error.code)
"""


def test_of_two_processes_that_promote_at_once_one_wins(
    registry: Registry, changed: Path, models: Path
) -> None:
    rivals = [registry.register("prompts", changed)]
    edit(changed / "prompts.toml", "pale winter light", "blue winter light")
    rivals.append(registry.register("prompts", changed))
    folder = models.parent / "var" / "registry"
    pipes: dict[str, Any] = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
    racers = [
        subprocess.Popen([sys.executable, "-c", PROMOTE, folder, models, r.name], cwd=ROOT, **pipes)
        for r in rivals
    ]
    for racer in racers:
        assert racer.stdout
        assert racer.stdout.readline() == "ready\n"
    for racer in racers:
        assert racer.stdin
        racer.stdin.write("\n")
        racer.stdin.flush()
    said = [racer.communicate(timeout=60)[0].strip() for racer in racers]
    assert sorted(said) == ["production_moved", "won"]
    winner = rivals[said.index("won")]
    assert registry.production()["prompts"] == winner.name
    assert sum(line.action == "promote" for line in registry.log()) == 2  # previous, production


@pytest.mark.parametrize(
    "change",
    [
        "UPDATE log SET reason = 'another' WHERE number = 1",
        "DELETE FROM log",
        "INSERT OR REPLACE INTO log SELECT * FROM log",
        "UPDATE versions SET note = 'another'",
        "DELETE FROM versions",
        "INSERT OR REPLACE INTO versions SELECT * FROM versions",
    ],
)
def test_what_is_written_stays(registry: Registry, changed: Path, change: str) -> None:
    registry.register("prompts", changed, "a try")
    before = registry.log(), registry.versions()
    with sqlite3.connect(changed.parent / "var" / "registry" / "registry.db") as db:
        with pytest.raises(sqlite3.IntegrityError, match="can only grow"):
            db.execute(change)
        db.rollback()
    db.close()
    assert (registry.log(), registry.versions()) == before


def test_a_version_that_is_gone_is_named(registry: Registry, changed: Path, models: Path) -> None:
    shipped = registry.production()
    edit(models / "prompts.toml", "pale winter light", "blue winter light")
    assert shipped["prompts"] in refused(
        NotFound, "unknown_version", lambda: registry.folder_of(shipped)
    )


def test_a_folder_that_cannot_be_written_is_named(models: Path, tmp_path: Path) -> None:
    blocked = tmp_path / "file"
    blocked.write_text("")
    with pytest.raises((DiskFailed, OSError)) as error:
        Registry(blocked / "registry", models).register("prompts", models)
    assert "file" in str(error.value)


# --- what two versions differ in ----------------------------------------------------------


def test_a_difference_is_told_key_by_key(changed: Path, models: Path) -> None:
    assert differences("pack", models, models) == []
    assert "~ profiles.toml: starter.control_scale 1.0 -> 0.2" in differences(
        "pack", models, changed
    )
    told = differences("thresholds", models, changed)
    assert told == ["~ calibration.json: starter.floor 0.1 -> 0.3"]
    (told_rule,) = differences("prompts", models, changed)
    assert told_rule == '~ prompts.toml: lighting ["summer light"] -> ["high summer light"]'


def test_weights_are_compared_tensor_by_tensor(changed: Path, models: Path) -> None:
    base: dict[str, Any] = {
        "a": np.array([1.0, -4.0], np.float32),
        "b": np.ones(3, np.float32),
        "gone": np.ones(1),
    }
    moved: dict[str, Any] = {
        "a": np.array([1.0, -3.0], np.float32),
        "b": np.ones((3, 1), np.float32),
        "new": np.ones(1),
    }
    for folder, tensors in ((models, base), (changed, moved)):
        save_file(tensors, folder / "starter" / "w.safetensors")
        write_manifest(folder / "starter")
    (changed / "starter/unet/config.json").unlink()
    write_manifest(changed / "starter")
    told = [line for line in differences("pack", models, changed) if "profiles" not in line]
    assert told[0] == "- starter/unet/config.json"
    assert "~ starter/w.safetensors: gone is gone" in told
    assert "~ starter/w.safetensors: new is new" in told
    assert "~ starter/w.safetensors: b has the shape [3] -> [3, 1]" in told
    assert "1 of 3 tensors moved, most of all a, by 0.25 of its largest entry" in told[-1]
    assert not any("manifest.json: format" in line for line in told)
    json.loads((changed / "starter/manifest.json").read_text())


def test_every_part_of_the_shipped_models_can_be_registered(tmp_path: Path) -> None:
    registry = Registry(tmp_path / "registry", ROOT / "models")
    versions: list[Version] = [registry.register(kind, ROOT / "models") for kind in KINDS]
    assert {v.kind: v.name for v in versions} == registry.production()
    registry.promote(versions, "production")
    assert registry.production() == registry.release(SHIPPED)
