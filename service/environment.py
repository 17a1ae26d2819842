"""A service's environment, validated once at start, with every wrong variable named in one sentence."""

import argparse
import os
from pathlib import Path
from typing import Annotated, Literal, TypeVar

from pydantic import AfterValidator, Field, SecretStr, ValidationError
from pydantic.fields import FieldInfo
from pydantic_settings import BaseSettings, SettingsConfigDict

SettingsT = TypeVar("SettingsT", bound=BaseSettings)


def _is_redis_url(store: SecretStr) -> SecretStr:
    schemes = ("redis://", "rediss://", "unix://")
    if not store.get_secret_value().startswith(schemes):
        raise ValueError(f"a store's URL starts with one of {', '.join(schemes)}")
    return store


StoreUrl = Annotated[SecretStr, AfterValidator(_is_redis_url)]
"""Where a Redis or Valkey is, as redis-py takes it; a secret, because it may hold a password."""


def _can_be_run(program: Path) -> Path:
    if not (program.is_file() and os.access(program, os.X_OK)):
        raise ValueError(f"{program} is not a program that can be run")
    return program


ProgramFile = Annotated[Path, AfterValidator(_can_be_run)]


class SharedSettings(BaseSettings):
    """What every program reads, whichever it is."""

    model_config = SettingsConfigDict(env_ignore_empty=True, frozen=True)

    log_format: Literal["text", "json"] = Field("text", description="It is how a program writes its log: text or json.")


def read_environment(settings: type[SettingsT]) -> SettingsT:
    """The settings of this process. Raises SystemExit with one sentence for each variable that is missing or wrong.

    A field's `description` says what the variable is for; it ends the sentence, so that whoever reads it knows the remedy.
    """
    try:
        return settings()
    except ValidationError as error:
        sentences = [_sentence(settings, problem["loc"], problem["type"], problem["msg"]) for problem in error.errors()]
        raise SystemExit("\n".join(sentences)) from None


def parser_for(settings: type[BaseSettings], prog: str, description: str) -> argparse.ArgumentParser:
    """A command-line parser whose help ends with the environment: each variable, its default and what it is for."""
    lines = [
        f"  {_variable(each, name)} ({_default(field)}): {field.description}"
        for each in (settings, SharedSettings)
        for name, field in each.model_fields.items()
    ]
    return argparse.ArgumentParser(
        prog=prog,
        description=description,
        epilog="environment:\n" + "\n".join(lines),
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )


def _default(field: FieldInfo) -> str:
    if field.is_required():
        return "required"
    return "optional" if field.default is None else f"default: {field.default}"


def _field(settings: type[BaseSettings], name: str) -> FieldInfo | None:
    """By its own name, or by the alias under which pydantic reports it."""
    by_alias = {str(field.validation_alias).lower(): field for field in settings.model_fields.values()}
    return settings.model_fields.get(name.lower()) or by_alias.get(name.lower())


def _variable(settings: type[BaseSettings], name: str) -> str:
    field = _field(settings, name)
    if field and field.validation_alias:
        return str(field.validation_alias).upper()
    return f"{settings.model_config.get('env_prefix', '')}{name}".upper()


def _sentence(settings: type[BaseSettings], location: tuple[int | str, ...], kind: str, reason: str) -> str:
    name = str(location[0]) if location else ""
    field = _field(settings, name)
    variable = _variable(settings, name)
    purpose = f" {field.description}" if field and field.description else ""
    if kind == "missing":
        return f"{variable} is not set.{purpose}"
    return f"{variable} is wrong: {reason.removeprefix('Value error, ')}.{purpose}"
