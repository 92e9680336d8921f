"""Every knob of the studio, read once, at the edge."""

import tomllib
from pathlib import Path
from typing import Annotated

from pydantic import AfterValidator, AliasChoices, BeforeValidator, Field, SecretStr
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

from tools.lane import JOB_TIMEOUT_S, STEP_TIMEOUT_S

ROOT = Path(__file__).parent.parent
VERSION: str = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]["version"]

Folder = Annotated[Path, AfterValidator(lambda path: ROOT / path)]  # relative: to the project


def _split(value: object) -> object:
    return value.replace(",", " ").split() if isinstance(value, str) else value


class Settings(BaseSettings):
    """Read from the environment (`ARTISAN_DATA_DIR=...`), then `.env`; an empty value is unset."""

    model_config = SettingsConfigDict(
        env_prefix="ARTISAN_",
        env_file=ROOT / ".env",
        env_ignore_empty=True,
        extra="ignore",
        frozen=True,
        populate_by_name=True,
    )

    data_dir: Folder = Path("var")  # all state lives here; safe to delete
    models_dir: Folder = Path("models")
    library: Folder = Path("styles/library")

    host: str = "127.0.0.1"
    port: int = Field(8000, ge=0, le=65535)  # 0: any free one
    # Web pages that may speak to the studio, besides those of this machine; in the environment between commas.
    cors_origins: Annotated[tuple[str, ...], NoDecode, BeforeValidator(_split)] = ()
    profile: str = "starter"  # of a request that names none
    max_upload_mb: int = Field(20, ge=1, le=1000)
    step_timeout_s: float = Field(STEP_TIMEOUT_S, gt=0, le=3600)  # for one denoising step
    load_timeout_s: float = Field(JOB_TIMEOUT_S, gt=0, le=86400)  # for opening the models
    grace_s: float = Field(10.0, ge=0, le=600)  # for running nodes to finish when the server stops

    # Threads nobody came back to for so long are deleted, then the oldest, until the rest is smaller; 0: none.
    keep_days: float = Field(0.0, ge=0)
    keep_mb: float = Field(20_000.0, ge=0)

    # Where runs are told as OpenTelemetry traces, an OTLP collector over HTTP; none: nowhere.
    otlp_endpoint: str | None = Field(None, pattern="^https?://[^/]")
    trace_content: bool = False  # whether what people wrote goes along

    # The release in staging on trial: the share of new threads that begin on it, and of finished runs that are
    # done again on it, unseen, while nobody waits.
    canary: float = Field(0.0, ge=0, le=1)
    shadow: float = Field(0.0, ge=0, le=1)

    # A server that speaks OpenAI's protocol; with neither address nor key the rules write prompts.
    llm_base_url: str | None = None
    llm_model: str = "gpt-4o-mini"
    llm_api_key: SecretStr | None = Field(
        None, validation_alias=AliasChoices("ARTISAN_LLM_API_KEY", "OPENAI_API_KEY")
    )
    llm_timeout_s: float = Field(12.0, gt=0, le=300)
