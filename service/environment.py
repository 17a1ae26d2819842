"""A service's environment, validated once at start, with every wrong variable named in one sentence."""

from typing import TypeVar

from pydantic import ValidationError
from pydantic_settings import BaseSettings

SettingsT = TypeVar("SettingsT", bound=BaseSettings)


def read_environment(settings: type[SettingsT]) -> SettingsT:
    """The settings of this process. Raises SystemExit with one sentence for each variable that is missing or wrong.

    A field's `description` says what the variable is for; it ends the sentence, so that whoever reads it knows the remedy.
    """
    try:
        return settings()
    except ValidationError as error:
        sentences = [_sentence(settings, problem["loc"], problem["type"], problem["msg"]) for problem in error.errors()]
        raise SystemExit("\n".join(sentences)) from None


def _sentence(settings: type[BaseSettings], location: tuple[int | str, ...], kind: str, reason: str) -> str:
    name = str(location[0]) if location else ""
    field = settings.model_fields.get(name.lower())
    variable = f"{settings.model_config.get('env_prefix', '')}{name}".upper()
    purpose = f" {field.description}" if field and field.description else ""
    if kind == "missing":
        return f"{variable} is not set.{purpose}"
    return f"{variable} is wrong: {reason.removeprefix('Value error, ')}.{purpose}"
