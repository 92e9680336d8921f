"""Where the knobs come from."""

from pathlib import Path

import pytest
from pydantic import ValidationError

from graph.settings import Settings


@pytest.fixture(autouse=True)
def bare_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """No key of a developer."""
    for name in ("OPENAI_API_KEY", *(f"ARTISAN_{key}".upper() for key in Settings.model_fields)):
        monkeypatch.delenv(name, raising=False)


def test_the_defaults_need_nothing() -> None:
    settings = Settings(_env_file=None)
    assert (settings.host, settings.port, settings.profile) == ("127.0.0.1", 8000, "starter")
    assert settings.llm_base_url is None
    assert settings.llm_api_key is None


def test_folders_belong_to_the_project_wherever_it_is_called_from(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("ARTISAN_DATA_DIR", str(tmp_path / "mine"))
    settings = Settings(_env_file=None)
    assert settings.data_dir == tmp_path / "mine"
    assert (settings.models_dir / "profiles.toml").is_file()
    assert settings.library.is_dir()
    assert Settings.model_config["env_file"] == settings.models_dir.parent / ".env"


def test_the_environment_speaks_before_the_file(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / ".env").write_text("ARTISAN_PORT=9001\nARTISAN_PROFILE=sd15\nUNKNOWN=1\n")
    monkeypatch.setenv("ARTISAN_PORT", "9002")
    monkeypatch.setenv("ARTISAN_LLM_BASE_URL", "")
    settings = Settings(_env_file=tmp_path / ".env")
    assert (settings.port, settings.profile) == (9002, "sd15")
    assert settings.llm_base_url is None


@pytest.mark.parametrize(
    ("environment", "key"),
    [
        ({"OPENAI_API_KEY": "theirs"}, "theirs"),
        ({"ARTISAN_LLM_API_KEY": "ours"}, "ours"),
        ({"OPENAI_API_KEY": "theirs", "ARTISAN_LLM_API_KEY": "ours"}, "ours"),
    ],
)
def test_the_key_is_taken_and_not_shown(
    monkeypatch: pytest.MonkeyPatch, environment: dict[str, str], key: str
) -> None:
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    settings = Settings(_env_file=None)
    assert settings.llm_api_key is not None
    assert settings.llm_api_key.get_secret_value() == key
    assert key not in repr(settings)
    assert key not in settings.model_dump_json()


@pytest.mark.parametrize(
    ("name", "value"), [("ARTISAN_PORT", "65536"), ("ARTISAN_MAX_UPLOAD_MB", "0")]
)
def test_a_wrong_value_stops_the_start(
    monkeypatch: pytest.MonkeyPatch, name: str, value: str
) -> None:
    monkeypatch.setenv(name, value)
    with pytest.raises(ValidationError):
        Settings(_env_file=None)


def test_nothing_changes_them_later() -> None:
    with pytest.raises(ValidationError):
        Settings(_env_file=None).port = 1  # type: ignore[misc]
