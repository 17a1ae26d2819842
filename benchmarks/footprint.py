"""What a process takes of the machine, by the kernel's account: https://man7.org/linux/man-pages/man5/proc.5.html."""

import asyncio
import os
import sys
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Footprint:
    """`megabytes` are resident. `cpu_seconds` are of all the process's threads since its start."""

    megabytes: float
    cpu_seconds: float


def footprint(port: int) -> Footprint:
    """Of the process that listens on the port. Raises LookupError where there is none."""
    process = _listener(port)
    fields = (process / "stat").read_text().rpartition(")")[2].split()
    ticks = int(fields[11]) + int(fields[12])
    pages = int((process / "statm").read_text().split()[1])
    return Footprint(pages * os.sysconf("SC_PAGE_SIZE") / 1e6, ticks / os.sysconf("SC_CLK_TCK"))


async def import_seconds(module: str, times: int = 3) -> float:
    """The least of several: what it takes a new process to import the module, and nothing else."""
    environment = {"PATH": os.defpath, "OTEL_INSTRUMENTATION_A2A_SDK_ENABLED": "false"}
    spans = []
    for _ in range(times):
        begun = asyncio.get_running_loop().time()
        child = await asyncio.create_subprocess_exec(sys.executable, "-c", f"import {module}", env=environment)
        await child.wait()
        spans.append(asyncio.get_running_loop().time() - begun)
    return min(spans)


def _listener(port: int) -> Path:
    sockets = [line.split() for line in Path("/proc/net/tcp").read_text().splitlines()[1:]]
    listening = {f"socket:[{each[9]}]" for each in sockets if each[1].endswith(f":{port:04X}") and each[3] == "0A"}
    for process in Path("/proc").glob("[0-9]*"):
        try:
            if any(os.readlink(descriptor) in listening for descriptor in (process / "fd").iterdir()):  # noqa: PTH115
                return process
        except OSError:
            continue
    raise LookupError(f"No process listens on port {port}.")
