"""Every knob of the studio, read once, at the edge."""

from pathlib import Path
from typing import Annotated

from pydantic import AfterValidator, AliasChoices, Field, SecretStr
from pydantic_settings import BaseSettings, SettingsConfigDict

ROOT = Path(__file__).parent.parent

Folder = Annotated[Path, AfterValidator(lambda path: ROOT / path)]  # relative: to the project


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
    profile: str = "starter"  # of a request that names none
    max_upload_mb: int = Field(20, ge=1, le=1000)

    # A server that speaks OpenAI's protocol; with neither address nor key the rules write prompts.
    llm_base_url: str | None = None
    llm_model: str = "gpt-4o-mini"
    llm_api_key: SecretStr | None = Field(
        None, validation_alias=AliasChoices("ARTISAN_LLM_API_KEY", "OPENAI_API_KEY")
    )
    llm_timeout_s: float = Field(12.0, gt=0, le=300)
