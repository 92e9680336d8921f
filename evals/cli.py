"""`./artisan eval`: run suites, read them, compare them, and let them decide."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from tools.errors import InvalidRequest, NotFound

if TYPE_CHECKING:
    from rich.console import Console

    from evals.gate import GateRow, Gates
    from evals.runs import Run
    from evals.statistics import Change
    from evals.summary import SuiteSummary
    from graph.settings import Settings

ROOT = Path(__file__).parents[1]
BASELINES = Path(__file__).parent / "baselines"
LATEST = "latest"
SEED = 0

app = typer.Typer(help="Offline evals: is this better?", no_args_is_help=True)

Suites = Annotated[list[str] | None, typer.Argument(help="Suites to run; none: all.")]
Profile = Annotated[str | None, typer.Option(help="The models to use.")]
RunName = Annotated[str, typer.Argument(help="A run's id, or `latest`.")]
Baseline = Annotated[
    str | None,
    typer.Option(help="What to compare with: a run's id, a baseline's name, or a file; `none`."),
]
Models = Annotated[
    str | None,
    typer.Option(help="What is under test: an alias, a registered version, or a folder of models."),
]


@app.command("run")
def run_suites(
    suites: Suites = None,
    profile: Profile = None,
    n: Annotated[int | None, typer.Option("--n", help="Cases of each suite.")] = None,
    seed: Annotated[int, typer.Option(help="Which cases are chosen.")] = SEED,
    quick: Annotated[bool, typer.Option("--quick", help="A few cases of each suite.")] = False,
    models: Models = None,
    library: Annotated[
        Path | None, typer.Option(help="Another style library.", exists=True, file_okay=False)
    ] = None,
    baseline: Baseline = None,
    gate: Annotated[
        bool, typer.Option("--gate", help="Exit code 1 when the gate is not passed.")
    ] = False,
    resume: Annotated[str | None, typer.Option(help="Go on with a run that was cut off.")] = None,
    fresh: Annotated[bool, typer.Option("--fresh", help="Use nothing of earlier runs.")] = False,
) -> None:
    """Run suites, print what they come to, and write the report."""
    import asyncio

    from evals.gate import load_gates
    from evals.progress import Bar
    from evals.runner import plan, plan_again, run
    from evals.suites import SUITES
    from evals.summary import check_comparable
    from evals.tables import open_console

    settings = _settings(profile, models, library)
    _check_profile(settings)
    if resume:
        old = _find(settings, resume).header
        settings = settings.model_copy(update={"profile": old.profile})
        planned = plan_again(SUITES, old)
    else:
        planned = plan(SUITES, suites or (), n=n, seed=seed, quick=quick)
    gates, before, console = load_gates(), _baseline(settings, baseline), open_console()
    if before:
        check_comparable(before, planned.datasets)
    with Bar(planned) as bar:
        try:
            done = asyncio.run(
                run(settings, planned, bar.told, resume=resume and old.id, fresh=fresh)
            )
        except KeyboardInterrupt:
            bar.stop()
            newest = _find(settings, LATEST).header.id
            console.print(f"stopped; `./artisan eval run --resume {newest}` goes on")
            raise typer.Exit(130) from None
    passed = _conclude(console, done, before, gates)
    if gate and not passed:
        raise typer.Exit(1)


@app.command("list")
def list_everything() -> None:
    """The suites, the baselines, and the runs so far."""
    from evals.runner import folders
    from evals.runs import list_runs
    from evals.suites import SUITES
    from evals.tables import open_console, title_of

    console, settings = open_console(), _settings()
    console.print("[bold]suites[/]")
    for suite in SUITES.values():
        console.print(f"  {suite.name:20} {suite.measures}", highlight=False)
    console.print("[bold]baselines[/]")
    for file in sorted(BASELINES.glob("*.json")):
        console.print(f"  {file.stem}", highlight=False)
    console.print("[bold]runs[/]")
    for found in list_runs(folders(settings).runs):
        console.print(f"  {title_of(found)}", highlight=False)


@app.command("show")
def show(
    name: RunName = LATEST,
    suite: Annotated[str | None, typer.Option(help="Also every case of this suite.")] = None,
) -> None:
    """What a run came to."""
    from evals.suites import SUITES
    from evals.summary import summarise
    from evals.tables import open_console, print_summary

    console, settings = open_console(), _settings()
    found = _find(settings, name)
    print_summary(console, found, summarise(found, SUITES), None)
    if suite is None:
        return
    if suite not in found.results:
        raise InvalidRequest(
            f"{suite!r} is not in this run: it has {', '.join(found.header.suites)}."
        )
    for result in found.results[suite]:
        console.print(f"[bold]{result.case}[/] {result.group}", highlight=False)
        if result.error:
            console.print(f"  failed: {result.error}", markup=False, highlight=False)
        for metric, score in result.scores.items():
            line = f"  {metric:24} {score.value:8.3f}  {score.reason}"
            console.print(line, markup=False, highlight=False)


@app.command("compare")
def compare_runs(
    before: Annotated[str, typer.Argument(help="A run, a baseline or a file.")],
    after: RunName = LATEST,
) -> None:
    """What changed between two runs, case by case."""
    from evals.suites import SUITES
    from evals.summary import compare
    from evals.tables import open_console, print_changes

    settings = _settings()
    first, second = _baseline(settings, before), _find(settings, after)
    assert first is not None
    changes = compare(first, second, SUITES)
    if not changes:
        raise InvalidRequest("These two runs have no suite in common.")
    print_changes(open_console(), first, second, changes)


@app.command("report")
def report(name: RunName = LATEST, baseline: Baseline = None) -> None:
    """Write the report of a run again, a run that was cut off included."""
    from evals.gate import load_gates
    from evals.tables import open_console

    settings = _settings()
    _conclude(open_console(), _find(settings, name), _baseline(settings, baseline), load_gates())


@app.command("gate")
def gate_run(name: RunName = LATEST, baseline: Baseline = None) -> None:
    """Whether a run passes the gate; exit code 1 when it does not."""
    from evals.gate import load_gates
    from evals.tables import open_console, print_gate

    settings = _settings()
    found = _find(settings, name)
    _, _, rows = _judged(found, _baseline(settings, baseline), load_gates())
    print_gate(open_console(), rows)
    if not all(row.passed for row in rows):
        raise typer.Exit(1)


@app.command("baseline")
def set_baseline(
    name: RunName = LATEST,
    file: Annotated[Path | None, typer.Option(help="Where; else after the profile.")] = None,
) -> None:
    """Make a run what later ones are compared with."""
    from evals.runs import save_baseline
    from evals.suites import SUITES

    found = _find(_settings(), name)
    if found.partial:
        raise InvalidRequest(f"Run {found.header.id} is partial: finish it with --resume first.")
    target = file or BASELINES / f"{found.header.profile}.json"
    with_figures = [
        suite for suite, results in found.results.items() if SUITES[suite].figures(results)
    ]
    save_baseline(target, found, with_figures)
    typer.echo(f"{target.name} is run {found.header.id}")


@app.command("export")
def export_run(
    name: RunName = LATEST,
    uri: Annotated[
        str | None, typer.Option(help="Where MLflow is; else a SQLite file in the data folder.")
    ] = None,
) -> None:
    """Put a run into MLflow; the same run again changes nothing there."""
    from evals.mlflow_export import aliases_in, export
    from evals.suites import SUITES
    from evals.summary import summarise
    from tools.registry import Registry

    settings = _settings()
    found = _find(settings, name)
    registry = Registry(settings.data_dir / "registry", settings.models_dir)
    uri = uri or f"sqlite:///{settings.data_dir / 'mlflow' / 'mlflow.db'}"
    there = export(found, summarise(found, SUITES), uri, aliases_in(registry))
    typer.echo(f"{found.header.id} is run {there} in {uri}")


@app.command("calibrate")
def calibrate(
    profile: Profile = None,
    write: Annotated[
        bool, typer.Option("--write", help="Put the numbers where the product reads them.")
    ] = False,
) -> None:
    """Fit the floor and the bands of the style search to the datasets, and say how well they do."""
    from evals.calibrate import calibrate_profile

    settings = _settings(profile)
    _check_profile(settings)
    typer.echo(calibrate_profile(settings, write))


@app.command("judge")
def judge_by_eye(
    first: Annotated[str, typer.Argument(help="A run's id, or `latest`.")] = LATEST,
    second: Annotated[
        str | None, typer.Argument(help="The run it is held against; none with --style-match.")
    ] = None,
    question: Annotated[str, typer.Option(help="prefer, style or sketch.")] = "prefer",
    style_match: Annotated[
        bool, typer.Option("--style-match", help="Which of two references is the render's?")
    ] = False,
    seed: Annotated[int, typer.Option(help="Of the order and the sides.")] = SEED,
    port: Annotated[int, typer.Option(help="Port of the page.")] = 8010,
) -> None:
    """Judge renders by eye, blind, on a page of your own: keys 1, 2, and 0 for can't tell."""
    from evals.judge import MATCH, QUESTIONS, pairs_of, style_pairs, told
    from evals.judge_page import serve_judge
    from evals.runner import folders

    if question not in QUESTIONS:
        raise InvalidRequest(
            f"There is no question {question!r}: choose of {', '.join(QUESTIONS)}."
        )
    if (second is None) is not style_match:
        raise InvalidRequest("Name two runs to hold against each other, or one with --style-match.")
    settings = _settings()
    run = _find(settings, first)
    asked = MATCH if style_match else question
    pairs = (
        style_pairs(run, seed)
        if second is None
        else pairs_of(run, _find(settings, second), asked, seed)
    )
    votes = folders(settings).root / "votes" / f"{asked}.jsonl"
    for tally in serve_judge(pairs, votes, asked, port):
        typer.echo(told(tally))


def _settings(
    profile: str | None = None, models: str | None = None, library: Path | None = None
) -> Settings:
    from pydantic import ValidationError

    from graph.settings import Settings

    try:
        settings = Settings(_env_file=ROOT / ".env")
    except ValidationError as error:
        lines = [f"ARTISAN_{str(f['loc'][0]).upper()}: {f['msg']}" for f in error.errors()]
        raise InvalidRequest("\n".join(lines)) from error
    given: dict[str, object] = {}
    if profile is not None:
        given["profile"] = profile
    if models is not None:
        given["models_dir"] = _models_folder(settings, models)
    if library is not None:
        given["library"] = library.resolve()
    return settings.model_copy(update=given)


def _models_folder(settings: Settings, models: str) -> Path:
    if (folder := Path(models)).is_dir():
        if not (folder / "profiles.toml").is_file():
            raise InvalidRequest(f"{models}: there is no profiles.toml in it.")
        return folder.resolve()
    from evals.promotion import release_of

    return release_of(models, settings)


def _check_profile(settings: Settings) -> None:
    """Raise `InvalidRequest` for an unknown profile, `WeightsMissing` for one that is not installed."""
    from tools.packs import open_pack
    from tools.profiles import load_profiles

    profiles = load_profiles(settings.models_dir / "profiles.toml")
    if settings.profile not in profiles:
        raise InvalidRequest(
            f"There is no profile {settings.profile!r}: choose one of {', '.join(profiles)}."
        )
    open_pack(profiles[settings.profile], settings.models_dir)


def _find(settings: Settings, name: str) -> Run:
    """A run by its id, the start of it, or `latest`. Raises `NotFound`."""
    from evals.runner import folders
    from evals.runs import read_run

    known = sorted(folder.name for folder in folders(settings).runs.glob("*/"))
    if not known:
        raise NotFound("There is no eval run yet: `./artisan eval run --quick` makes one.")
    fitting = known[-1:] if name == LATEST else [k for k in known if k.startswith(name)]
    if len(fitting) != 1:
        what = "matches several runs" if fitting else "is no eval run"
        raise NotFound(f"{name!r} {what}: `./artisan eval list` names them.")
    return read_run(folders(settings).runs / fitting[0])


def _baseline(settings: Settings, name: str | None) -> Run | None:
    """A run to compare with: a file, a run's id, or a baseline's name; without a name the profile's."""
    from evals.runs import read_baseline

    if name == "none":
        return None
    if name is None:
        file = BASELINES / f"{settings.profile}.json"
        return read_baseline(file) if file.is_file() else None
    if (file := Path(name)).is_file() or (file := BASELINES / f"{name}.json").is_file():
        return read_baseline(file)
    return _find(settings, name)


def _judged(
    run: Run, before: Run | None, gates: Gates
) -> tuple[dict[str, SuiteSummary], dict[str, dict[str, Change]] | None, list[GateRow]]:
    """What a run comes to, what changed since `before`, and what the gate says of both."""
    from evals.gate import judge
    from evals.suites import SUITES
    from evals.summary import compare, summarise

    summaries = summarise(run, SUITES)
    changes = compare(before, run, SUITES) if before else None
    return summaries, changes, judge(run, summaries, changes, gates.bounds, run.header.suites)


def _conclude(console: Console, run: Run, before: Run | None, gates: Gates) -> bool:
    """Print a run, write its report, and return whether it passes the gate."""
    from evals.report import write_report
    from evals.tables import near, print_gate, print_summary

    summaries, changes, rows = _judged(run, before, gates)
    print_summary(console, run, summaries, changes)
    print_gate(console, rows)
    assert run.folder is not None
    files = write_report(
        run, summaries, changes, before.header if before else None, rows, run.folder
    )
    for file in files:
        console.print(near(file), highlight=False, soft_wrap=True)
    return all(row.passed for row in rows)
