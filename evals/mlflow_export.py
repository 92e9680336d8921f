"""An eval run in MLflow: its parameters, metrics, files and model versions. The same run twice is one run there."""

from __future__ import annotations

import math
import os
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from evals.runs import CASES, HEADER
from tools.errors import InvalidRequest
from tools.versions import KINDS

if TYPE_CHECKING:
    from mlflow.tracking import MlflowClient

    from evals.runs import Run
    from evals.summary import Row, SuiteSummary
    from tools.ledger import Aliases
    from tools.registry import Registry

EXPERIMENT = "artisan-evals"
RUN, VERSION = "artisan.run", "artisan.version"  # tags by which a run and a version are found again
FILES = ("report.html", "report.json", "report.md", "junit.xml", HEADER, CASES)
BATCH = 500  # metrics that are sent at once; MLflow takes up to 1000 entries
INSTALL = ".venv/bin/uv pip install --python .venv/bin/python -r pyproject.toml --extra mlflow"
QUIET = {
    "MLFLOW_DISABLE_TELEMETRY": "true",  # an eval is nobody else's business
    "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "2",  # its own 7 are minutes of silence
    "MLFLOW_LOGGING_LEVEL": "WARNING",
}


@dataclass(frozen=True, slots=True)
class Record:
    """An eval run in MLflow's words."""

    name: str  # id of the eval run
    started_ms: int  # since 1970, UTC
    ended_ms: int
    status: str  # FINISHED or KILLED
    params: Mapping[str, str]
    metrics: Mapping[str, float]  # finite
    tags: Mapping[str, str]
    files: tuple[Path, ...]
    models: Mapping[str, str]  # kind: version, of the release under test


def record(run: Run, summaries: Mapping[str, SuiteSummary]) -> Record:
    """What MLflow is told of a run; pure but for a look at which files there are."""
    head = run.header
    started_ms = round(datetime.fromisoformat(head.created).timestamp() * 1000)
    params: dict[str, object] = {"profile": head.profile, "seed": head.seed, "quick": head.quick}
    params |= {f"n/{suite}": count for suite, count in head.n.items()}
    params |= {f"dataset/{suite}": digest for suite, digest in head.datasets.items()}
    params |= {f"version/{what}": name for what, name in head.versions.items()}
    metrics = {
        _metric_name(name): value
        for suite, summary in summaries.items()
        for row in summary.rows
        for name, value in _figures(f"{suite}/{row.metric.name}", row)
        if math.isfinite(value)
    }
    return Record(
        name=head.id,
        started_ms=started_ms,
        ended_ms=started_ms + round(1000 * head.elapsed_s),
        status="FINISHED" if head.state == "finished" and not run.partial else "KILLED",
        params={name: str(value) for name, value in params.items()},
        metrics=metrics,
        tags={
            RUN: head.id,
            "artisan.state": head.state,
            "artisan.partial": str(run.partial).lower(),
            "artisan.machine": head.machine,
        },
        files=tuple(
            run.folder / name for name in FILES if run.folder and (run.folder / name).is_file()
        ),
        models={kind: head.versions[kind] for kind in KINDS if kind in head.versions},
    )


def export(
    run: Run, summaries: Mapping[str, SuiteSummary], uri: str, aliases: Aliases | None = None
) -> str:
    """Put a run, and the versions of its release under their `aliases`, into MLflow; return the run's id there.

    `uri` is MLflow's own kind of address; the files of a `sqlite:///FILE` are kept beside that file.
    Raises `InvalidRequest` where MLflow is not installed or refuses.
    """
    for name, value in QUIET.items():
        os.environ.setdefault(name, value)
    try:
        from mlflow.exceptions import MlflowException
        from mlflow.tracking import MlflowClient
    except ImportError as error:
        raise InvalidRequest(f"MLflow is not installed. This installs it: {INSTALL}") from error
    told = record(run, summaries)
    try:
        client = MlflowClient(uri, registry_uri=uri)
        run_id = _log(client, told, _experiment(client, uri))
        for kind, version in told.models.items():
            _register(client, kind, version, run_id, (aliases or {}).get(kind, {}))
    except MlflowException as error:
        raise InvalidRequest(f"MLflow at {uri} refused: {str(error)[:400]}") from error
    return run_id


def aliases_in(registry: Registry) -> Aliases:
    """What each alias names. Production names something always: what is shipped, until anything is promoted."""
    production = registry.production()
    named = registry.aliases()
    return {kind: {**named[kind], "production": production[kind]} for kind in KINDS}


def _figures(name: str, row: Row) -> Sequence[tuple[str, float]]:
    if row.estimate is None:
        return ()
    value, low, high = row.estimate
    controls = [(f"{name}/control/{control}", mean) for control, mean in row.controls.items()]
    return [(name, value), (f"{name}/low", low), (f"{name}/high", high), *controls]


def _metric_name(name: str) -> str:
    """MLflow takes letters, digits and `_-. :/` in the name of a metric."""
    return re.sub(r"[^\w\-. :/]", "_", name.replace("@", "_at_"), flags=re.ASCII)


def _experiment(client: MlflowClient, uri: str) -> str:
    """The id of our experiment, made when it is not there."""
    if known := client.get_experiment_by_name(EXPERIMENT):
        return str(known.experiment_id)
    beside = None
    if uri.startswith("sqlite:///"):  # else MLflow would write into the present folder
        folder = Path(uri.removeprefix("sqlite:///")).resolve().parent
        folder.mkdir(parents=True, exist_ok=True)
        beside = (folder / "artifacts").as_uri()
    return str(client.create_experiment(EXPERIMENT, artifact_location=beside))


def _log(client: MlflowClient, told: Record, experiment: str) -> str:
    """Write the run, over what an earlier export wrote of it, and return its id."""
    from mlflow.entities import Metric, Param, RunTag

    found = client.search_runs([experiment], f"tags.\"{RUN}\" = '{told.name}'", max_results=1)
    known: Any = found[0] if found else None
    if known is None:
        known = client.create_run(
            experiment, start_time=told.started_ms, tags={RUN: told.name}, run_name=told.name
        )
    run_id = str(known.info.run_id)
    params = [Param(name, value) for name, value in told.params.items()]
    tags = [RunTag(name, value) for name, value in told.tags.items()]
    client.log_batch(run_id, params=params, tags=tags)
    # The moment is the run's own, so that the same figures again are the same points.
    metrics = [Metric(name, value, told.ended_ms, 0) for name, value in told.metrics.items()]
    for start in range(0, len(metrics), BATCH):
        client.log_batch(run_id, metrics=metrics[start : start + BATCH])
    for file in told.files:
        client.log_artifact(run_id, str(file))
    client.set_terminated(run_id, told.status, told.ended_ms)
    return run_id


def _register(
    client: MlflowClient, kind: str, version: str, run_id: str, aliases: Mapping[Any, str]
) -> None:
    """Have `version` among the versions of our model of this kind, once, under its present aliases."""
    model = f"artisan-{kind}"
    if not client.search_registered_models(f"name = '{model}'", max_results=1):
        client.create_registered_model(model, description=f"The {kind} of Artisan Studio.")
    known = client.search_model_versions(f"name = '{model}' and tags.`{VERSION}` = '{version}'")
    if known:
        number = known[0].version
    else:
        made = client.create_model_version(
            model, f"runs:/{run_id}", run_id, tags={VERSION: version}, description=version
        )
        number = made.version
    wanted = {alias for alias, named in aliases.items() if named == version}
    held = set(client.get_model_version(model, number).aliases)
    for alias in wanted - held:
        client.set_registered_model_alias(model, alias, number)
    for alias in held - wanted:
        client.delete_registered_model_alias(model, alias)
