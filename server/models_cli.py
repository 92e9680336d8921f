"""`./artisan models`: what is registered, what serves, and the gate between the two."""

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from server.shell import ROOT, print_rows, read_settings
from tools.errors import InvalidRequest

if TYPE_CHECKING:
    from graph.settings import Settings
    from tools.ledger import Version
    from tools.registry import Registry
    from tools.versions import Kind

app = typer.Typer(help="The models, thresholds and prompt rules.", no_args_is_help=True)

KindName = Literal["pack", "thresholds", "prompts"]
Name = Annotated[str, typer.Argument(help="A version, or the beginning of its id.")]
Reason = Annotated[str, typer.Option(help="Why, for the log.")]


@app.command("list")
def list_versions() -> None:
    """Every registered version, newest first, and what the aliases name."""
    from tools.versions import KINDS, versions_in

    registry = _registry(read_settings())
    aliases, shipped = registry.aliases(), versions_in(registry.shipped)
    rows = [
        (v.name, v.kind, _named(aliases[v.kind], v.name), v.created[:19], v.eval_run or "", v.note)
        for v in registry.versions()
    ]
    for kind in KINDS:
        named: dict[str, str] = {"production": "shipped", **aliases[kind]}
        rows.append((shipped[kind], kind, _named(named, "shipped"), "", "", "as shipped"))
    print_rows(("version", "kind", "alias", "registered", "eval run", "note"), rows)


@app.command()
def show(name: Name) -> None:
    """One version: where it came from, its files, and what was done with it."""
    registry = _registry(read_settings())
    version = registry.get(name)
    folder = registry.part(version)
    facts = {
        "version": version.name,
        "kind": version.kind,
        "alias": _named(registry.aliases()[version.kind], version.name),
        "registered": f"{version.created} from {version.source}",
        "note": version.note,
        "eval run": version.eval_run or "",
        "card": str(folder / version.card) if version.card else "",
        "files": str(folder),
    }
    print_rows(("", ""), [(key, value) for key, value in facts.items() if value])
    _print_log(registry, version.name)


@app.command()
def register(
    path: Annotated[
        Path, typer.Argument(help="A folder of models, or one of its files.", exists=True)
    ],
    kind: Annotated[
        KindName | None, typer.Option(help="Left out: every part that is not in production.")
    ] = None,
    note: Annotated[str, typer.Option(help="What is new about it.")] = "",
) -> None:
    """Copy a pack, thresholds or prompt rules to where nobody changes them."""
    registry = _registry(read_settings())
    folder, kinds = _parts(path.resolve(), registry) if kind is None else (_folder(path), [kind])
    if not kinds:
        raise InvalidRequest(f"All that is in {path} is in production: there is nothing new.")
    for each in kinds:
        typer.echo(f"registered {registry.register(each, folder, note).name}")


@app.command()
def promote(
    name: Name,
    alias: Annotated[Literal["production", "staging"], typer.Argument()] = "production",
    also: Annotated[
        list[str] | None,
        typer.Option("--with", help="Another version that belongs to it: thresholds to a pack."),
    ] = None,
    force: Annotated[bool, typer.Option("--force", help="Without the gate.")] = False,
    reason: Reason = "",
) -> None:
    """Let a version serve, if it passes the gate; exit code 1 when it does not."""
    if force and not reason.strip():
        raise InvalidRequest("--force needs a --reason: it stays in the log.")
    settings = read_settings()
    registry = _registry(settings)
    versions = [registry.get(each) for each in (name, *(also or []))]
    before = registry.production()
    if alias == "production" and all(before[v.kind] == v.name for v in versions):
        raise InvalidRequest(f"{versions[0].name} is production already.")
    how: dict[str, Any] = {"reason": reason, "forced": force}
    if alias == "production" and not force:
        how["detail"] = _judged(settings, registry, versions, reason)
    if alias == "production":
        how["instead_of"] = before
    registry.promote(versions, alias, **how)
    for version in versions:
        typer.echo(f"{version.name} is {alias}")


@app.command()
def rollback(
    kinds: Annotated[
        list[str] | None,
        typer.Argument(help="pack, thresholds, prompts; left out: what was changed last."),
    ] = None,
    reason: Reason = "",
) -> None:
    """Go back to what was in production before; once more, and it is undone."""
    from tools.versions import KINDS

    registry = _registry(read_settings())
    moved = [line.kind for line in registry.log() if line.alias == "previous"]
    asked = kinds or moved[-1:] or ["pack"]
    if unknown := [kind for kind in asked if kind not in KINDS]:
        raise InvalidRequest(f"{unknown[0]!r} is no kind: choose of {', '.join(KINDS)}.")
    back = registry.rollback([kind for kind in KINDS if kind in asked], reason)
    for kind, name in back.items():
        typer.echo(f"{name} is production of {kind}")


@app.command()
def unstage(kind: KindName, reason: Reason = "") -> None:
    """Take a version off staging."""
    _registry(read_settings()).unalias(kind, reason)


@app.command()
def diff(
    before: Annotated[str, typer.Argument(help="A version, `production`, `staging` or `shipped`.")],
    after: Name,
) -> None:
    """What a version changes."""
    from tools.registry import ALIASES, SHIPPED
    from tools.version_diff import differences

    registry = _registry(read_settings())
    version = registry.get(after)
    if before in (*ALIASES, SHIPPED):
        old = registry.folder_of(registry.release(before))
    else:
        other = registry.get(before)
        old = registry.part(other)
        if other.kind != version.kind:
            raise InvalidRequest(f"{other.name} is {other.kind}, {version.name} is {version.kind}.")
    for line in differences(version.kind, old, registry.part(version)) or ["no difference"]:
        typer.echo(line)


@app.command()
def canary(
    as_json: Annotated[bool, typer.Option("--json", help="For programs.")] = False,
) -> None:
    """Staging against production, by the renders that ARTISAN_CANARY and ARTISAN_SHADOW have scored."""
    import json
    from dataclasses import asdict

    from evals.canary import compare_releases, read_scores

    settings = read_settings()
    registry = _registry(settings)
    production, staging = registry.production(), registry.release("staging")
    if production == staging:
        raise InvalidRequest(
            "Nothing but production is in staging: `./artisan models promote NAME staging` puts it there."
        )
    scores = read_scores(settings.data_dir / "canary.jsonl")
    told = compare_releases(scores, production, staging)
    if as_json:
        rows = [{**asdict(row), "difference": row.difference._asdict()} for row in told.rows]
        releases = {"production": production, "staging": staging}
        typer.echo(json.dumps({**releases, **asdict(told), "rows": rows}, indent=1))
        return
    changed = [f"{production[kind]} -> {name}" for kind, name in staging.items()]
    typer.echo(", ".join(line for line in changed if len(set(line.split(" -> "))) > 1))
    print_rows(
        ("metric", "by", "production", "staging", "difference", "95 % interval", "renders", ""),
        [
            (
                row.metric,
                row.how,
                f"{row.production:.3f}",
                f"{row.staging:.3f}",
                f"{row.difference.value:+.3f}",
                f"{row.difference.low:+.3f} to {row.difference.high:+.3f}",
                f"{row.cases[0]} and {row.cases[1]}",
                row.verdict,
            )
            for row in told.rows
        ],
    )
    typer.echo(
        f"{told.renders['production']} renders on production, {told.renders['canary']} on staging"
        f" ({told.failed['canary']} broken), {told.renders['shadow']} shadows ({told.failed['shadow']} broken)"
    )


@app.command("log")
def show_log() -> None:
    """All that was ever done, oldest first."""
    _print_log(_registry(read_settings()))


@app.command("pull")
def pull_models(
    profile: Annotated[str, typer.Argument(help="Whose models, such as sd15.")],
) -> None:
    """Fetch the models of a profile from the hub, at their pinned revisions."""
    from tools.hub import pull
    from tools.profiles import load_profiles

    models_dir = ROOT / read_settings().models_dir
    profiles = load_profiles(models_dir / "profiles.toml")
    if profile not in profiles:
        raise InvalidRequest(
            f"There is no profile {profile!r}: choose one of {', '.join(profiles)}."
        )
    typer.echo(f"{pull(profiles[profile], models_dir)} is ready")


def _registry(settings: "Settings") -> "Registry":
    from tools.registry import Registry

    return Registry(settings.data_dir / "registry", settings.models_dir)


def _judged(
    settings: "Settings", registry: "Registry", versions: "list[Version]", reason: str
) -> dict[str, Any]:
    """What the gate says, for the log; where it refuses, that is written down and the command ends."""
    from evals.promotion import judge_version

    before = registry.production()
    chosen: dict[str, str] = {version.kind: version.name for version in versions}
    after = {**before, **chosen}
    verdict = judge_version(settings, registry.folder_of(after), registry.folder_of(before))
    typer.echo(verdict.table)
    detail = {**verdict.detail, "run": verdict.run}
    if not verdict.passed:
        registry.refuse(versions, reason, detail)
        raise typer.Exit(1)
    return detail


def _named(aliases: Mapping[str, str], name: str) -> str:
    return ", ".join(alias for alias, named in aliases.items() if named == name)


def _folder(path: Path) -> Path:
    """The folder of models that a path means: itself, or where it is a file or a pack, the one it lies in."""
    from tools.packs import MANIFEST

    path = path.resolve()
    return path.parent if path.is_file() or (path / MANIFEST).is_file() else path


def _parts(path: Path, registry: "Registry") -> "tuple[Path, list[Kind]]":
    """The folder of models that `path` means, and the kinds it has something new of."""
    from tools.versions import CALIBRATION, PROFILES, RULES, version_name

    folder = _folder(path)
    present: dict[Kind, str] = {"pack": PROFILES, "thresholds": CALIBRATION, "prompts": RULES}
    there = [kind for kind, file in present.items() if (folder / file).is_file()]
    if not there:
        needed = ", ".join(present.values())
        raise InvalidRequest(f"{path} is no folder of models: none of {needed} is in {folder}.")
    if path.is_file():
        there = [kind for kind in there if present[kind] == path.name] or there
    if len(there) == 1:
        return folder, there
    production = registry.production()
    return folder, [kind for kind in there if version_name(kind, folder) != production[kind]]


def _print_log(registry: "Registry", name: str | None = None) -> None:
    rows = [
        (
            str(line.number),
            line.time[:19],
            line.action,
            line.kind,
            line.version or "nothing",
            line.alias or "",
            f"forced: {line.reason}" if line.forced else line.reason,
        )
        for line in registry.log()
        if name in (None, line.version)
    ]
    print_rows(("", "time", "action", "kind", "version", "alias", "reason"), rows)
