"""Load, bounded in time, against this machine only: `wrk` for HTTP, and checks with charges for gRPC."""

import asyncio
import re
import shutil
import sys
import tempfile
import time
import uuid
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import grpc
from envoy.service.ratelimit.v3.rls_pb2 import RateLimitRequest, RateLimitResponse
from google.protobuf.json_format import ParseDict

from budgets.ratelimit import SERVICE

_SCRIPT = """\
wrk.method = "POST"
wrk.body = '%s'
%s
done = function(summary, latency, requests)
  local errors = summary.errors
  local bad = errors.status + errors.connect + errors.read + errors.write + errors.timeout
  print(string.format("RESULT %%d %%d %%d %%d %%d", summary.requests, summary.duration, latency:percentile(50),
    latency:percentile(99), bad))
end
"""


@dataclass(frozen=True)
class Rate:
    """Milliseconds are wall clock, of one request."""

    per_second: float
    p50_ms: float
    p99_ms: float
    bad: int = 0
    """Requests that were not answered with 200."""


def find_wrk() -> str:
    """Raises SystemExit where it is missing."""
    wrk = shutil.which("wrk")
    if wrk is None:
        raise SystemExit("The benchmarks load Envoy with wrk, which is not installed. On Debian: apt-get install wrk")
    return wrk


async def http_load(url: str, headers: Mapping[str, str], body: str, connections: int, seconds: float) -> Rate:
    """One POST after another. What stands in `headers` and `body` must not need quoting in Lua."""
    with tempfile.NamedTemporaryFile("w", suffix=".lua") as script:
        script.write(_SCRIPT % (body, "\n".join(f'wrk.headers["{name}"] = "{value}"' for name, value in headers.items())))
        script.flush()
        words = ("-t1", f"-c{connections}", f"-d{seconds:g}s", "-s", script.name, url)
        wrk = await asyncio.create_subprocess_exec(find_wrk(), *words, stdout=asyncio.subprocess.PIPE)
        out = (await wrk.communicate())[0].decode()
    found = re.search(r"RESULT (\d+) (\d+) (\d+) (\d+) (\d+)", out)
    if found is None:
        raise SystemExit(f"wrk did not say what it measured: {out[:400]}")
    requests, duration, p50, p99, bad = (int(figure) for figure in found.groups())
    return Rate(requests / duration * 1e6, p50 / 1000, p99 / 1000, bad)


async def grpc_load(port: int, at_once: int, seconds: float) -> Rate:
    """Pairs of a check and its charge, each pair with an id of its own, as the gateway sends them."""
    child = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "benchmarks.load", f"{port}", f"{at_once}", f"{seconds}", stdout=asyncio.subprocess.PIPE
    )
    figures = (await child.communicate())[0].decode().split()
    per_second, p50_ms, p99_ms = (float(figure) for figure in figures)
    return Rate(per_second, p50_ms, p99_ms)


async def _pairs(port: int, at_once: int, seconds: float) -> Rate:
    async with grpc.aio.insecure_channel(f"127.0.0.1:{port}") as channel:
        ask = channel.unary_unary(
            f"/{SERVICE}/ShouldRateLimit",
            request_serializer=RateLimitRequest.SerializeToString,
            response_deserializer=RateLimitResponse.FromString,
        )
        check, charge = _call(["0"]), _call(["21", "683"])
        end = time.perf_counter() + seconds
        spans: list[float] = []

        async def one_after_another() -> None:
            while (begun := time.perf_counter()) < end:
                name = uuid.uuid4().hex
                await ask(_named(check, name))
                await ask(_named(charge, name))
                spans.append(time.perf_counter() - begun)

        await asyncio.gather(*(one_after_another() for _ in range(at_once)))
    spans.sort()
    return Rate(len(spans) / seconds, spans[len(spans) // 2] * 1000, spans[len(spans) * 99 // 100] * 1000)


def _call(hits: Iterable[str]) -> RateLimitRequest:
    who = {"describes": "call", "team": "dba", "user": "alice", "model": "gpt-4o", "request_id": ""}
    kinds = ["input", "output"]
    descriptors = []
    for number, each in enumerate(hits):
        told = who | ({"usage": kinds[number]} if each != "0" else {"max_tokens": "700"})
        entries = [{"key": key, "value": value} for key, value in told.items()]
        descriptors.append({"entries": entries, "hitsAddend": each})
    return ParseDict({"domain": "agentic-budgets", "descriptors": descriptors}, RateLimitRequest())


def _named(request: RateLimitRequest, name: str) -> RateLimitRequest:
    for descriptor in request.descriptors:
        descriptor.entries[4].value = name
    return request


if __name__ == "__main__":
    rate = asyncio.run(_pairs(int(sys.argv[1]), int(sys.argv[2]), float(sys.argv[3])))
    print(rate.per_second, rate.p50_ms, rate.p99_ms)
