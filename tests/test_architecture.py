"""Imports point down, and no installed distribution owns one of our names."""

import ast
from collections.abc import Iterator
from importlib.metadata import packages_distributions
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
EDGES = {"server", "training"}  # side by side: neither imports the other
# These stand above the package they are in.
PROGRAMS = (
    "graph.build",
    "server.__main__",
    "server.cli",
    "server.models_cli",
    "training.evaluate",
)
LEVELS = (
    "tools",
    "styles",
    "graph",
    "nodes",
    "graph.build",
    *EDGES,
    "evals",
    "training.evaluate",
    "server.models_cli",
    "server.cli",
    "server.__main__",
    "tests",
)
OURS = {name.partition(".")[0] for name in LEVELS}
MODULES = {
    ".".join(path.relative_to(ROOT).with_suffix("").parts): path
    for name in OURS - {"tests"}
    for path in (ROOT / name).rglob("*.py")
}


def level(module: str) -> str:
    return module if module in PROGRAMS else module.partition(".")[0]


def imported(path: Path) -> Iterator[str]:
    """Every module of ours that the file names, inside functions too."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: relative import"
            names = [f"{node.module}.{alias.name}" for alias in node.names]
            found = [name if name in MODULES else str(node.module) for name in names]
        elif isinstance(node, ast.Import):
            found = [alias.name for alias in node.names]
        else:
            continue
        yield from (name for name in found if name.partition(".")[0] in OURS)


def allowed(importer: str, target: str) -> bool:
    here, there = level(importer), level(target)
    if here == there:
        return here != "nodes" or importer == target
    return {here, there} != EDGES and LEVELS.index(there) < LEVELS.index(here)


@pytest.mark.parametrize("module", sorted(MODULES))
def test_imports_point_down(module: str) -> None:
    wrong = [name for name in imported(MODULES[module]) if not allowed(module, name)]
    assert not wrong, f"{module} must not import {wrong}"


def test_the_vocabulary_imports_nothing_on_its_own() -> None:
    assert not ast.parse((ROOT / "graph" / "__init__.py").read_text()).body[1:]


def test_no_distribution_owns_a_name_of_ours() -> None:
    owners = packages_distributions()
    owned = {name: owners[name] for name in OURS if name in owners}
    assert not owned, f"{owned} would be imported in place of our own folders"


@pytest.mark.parametrize(
    ("importer", "target"),
    [
        ("tools.edges", "server.app"),
        ("nodes.begin", "nodes.critique"),
        ("nodes.begin", "graph.build"),
        ("graph.state", "graph.build"),
        ("styles.index", "graph.state"),
        ("server.app", "evals.bench"),
        ("server.app", "server.cli"),
        ("evals.bench", "server.cli"),
        ("server.app", "training.world"),
        ("training.data", "server.app"),
        ("training.data", "training.evaluate"),
        ("server.app", "tests.conftest"),
    ],
)
def test_the_rule_refuses(importer: str, target: str) -> None:
    assert not allowed(importer, target)
