from pathlib import Path

import pytest
from pydantic import Field, SecretStr
from pydantic_settings import BaseSettings, SettingsConfigDict

from service.environment import SharedSettings, parser_for, read_environment


class Settings(BaseSettings):
    model_config = SettingsConfigDict(env_prefix="TEA_", frozen=True)

    pot: Path = Field(description="It is where the tea is.")
    cups: int = Field(default=2, ge=1, description="How many cups.")
    secret: SecretStr | None = Field(default=None, min_length=8, description="A secret.")
    milk: bool = Field(default=False, validation_alias="MILK", description="Whether there is milk.")


def test_the_environment_is_read(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TEA_POT", "/pot")
    monkeypatch.setenv("MILK", "true")
    settings = read_environment(Settings)
    assert (settings.pot, settings.cups, settings.milk) == (Path("/pot"), 2, True)


def test_each_wrong_variable_has_a_sentence_and_no_secret_is_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in {"TEA_CUPS": "0", "TEA_SECRET": "shh", "MILK": "maybe"}.items():
        monkeypatch.setenv(name, value)
    with pytest.raises(SystemExit) as stop:
        read_environment(Settings)
    lines = str(stop.value).splitlines()
    assert lines[0] == "TEA_POT is not set. It is where the tea is."
    assert lines[1].startswith("TEA_CUPS is wrong: ")
    assert lines[1].endswith(". How many cups.")
    assert lines[2].startswith("TEA_SECRET is wrong: ")
    assert lines[3].startswith("MILK is wrong: ")
    assert "shh" not in str(stop.value)


def test_help_names_every_variable_with_its_default() -> None:
    text = parser_for(Settings, "tea", "Makes tea.").format_help()
    assert "TEA_POT (required): It is where the tea is." in text
    assert "TEA_CUPS (default: 2): How many cups." in text
    assert "TEA_SECRET (optional): A secret." in text
    assert "MILK (default: False): Whether there is milk." in text


def test_help_names_what_every_program_reads() -> None:
    text = parser_for(Settings, "tea", "Makes tea.").format_help()
    assert "LOG_FORMAT (default: text): It is how a program writes its log: text or json." in text
    assert text.index("LOG_FORMAT") > text.index("MILK")


@pytest.mark.parametrize(("value", "read"), [("text", "text"), ("json", "json"), ("", "text")])
def test_what_every_program_reads_is_read(monkeypatch: pytest.MonkeyPatch, value: str, read: str) -> None:
    monkeypatch.setenv("LOG_FORMAT", value)
    assert read_environment(SharedSettings).log_format == read


@pytest.mark.parametrize("value", ["xml", "JSON "])
def test_a_wrong_one_of_what_every_program_reads_is_named(monkeypatch: pytest.MonkeyPatch, value: str) -> None:
    monkeypatch.setenv("LOG_FORMAT", value)
    with pytest.raises(SystemExit, match=r"LOG_FORMAT is wrong: .* It is how a program writes its log: text or json"):
        read_environment(SharedSettings)
