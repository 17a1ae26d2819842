"""`python -m gateway` becomes Envoy; `python -m gateway --print` prints the configuration it would run with."""

import os
import sys
from pathlib import Path

from gateway.config import Settings
from gateway.envoy import find_envoy
from gateway.render import render
from service.environment import parser_for, read_environment

OPTIONS = (
    # Several Envoys may run side by side.
    *("--use-dynamic-base-id", "--concurrency", "2", "--drain-time-s", "1"),
    # An access log that is ten seconds late, as it is by default, is of no use to whoever watches.
    *("--file-flush-interval-msec", "200"),
    # Warnings that are no news: sse_to_metadata is work in progress upstream (misc, nine times a start), and an answer
    # without usage has nothing to charge (config, for each of its charge descriptors).
    *("--log-level", "warning", "--component-log-level", "misc:error,config:error"),
)


def main() -> None:
    parser = parser_for(Settings, "gateway", "Run stock Envoy as the budget gateway.")
    parser.add_argument("--print", action="store_true", help="print Envoy's configuration and stop")
    arguments = parser.parse_args()
    settings = read_environment(Settings)
    configuration = render(settings)
    if arguments.print:
        print(configuration)
        return
    run(find_envoy(settings.envoy_bin), configuration)


def run(envoy: Path, configuration: str) -> None:
    """Become Envoy, so that signals and the exit status are its own."""
    sys.stdout.flush()
    os.execv(envoy, [str(envoy), "--config-yaml", configuration, *OPTIONS])  # noqa: S606


if __name__ == "__main__":
    main()
