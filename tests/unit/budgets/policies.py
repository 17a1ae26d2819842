"""Small policies for tests."""

from pathlib import Path

HEAD = """\
apiVersion: ratelimit.solo.io/v1alpha1
kind: RateLimitConfig
metadata: {name: team-token-budget}
spec:
  raw:
"""

ONE_TEAM = (
    HEAD
    + """\
    descriptors:
      - key: team
        value: dba
        rateLimit: {requestsPerUnit: 5000, unit: HOUR}
    rateLimits:
      - actions: [{requestHeaders: {descriptorKey: team, headerName: X-Team-ID}}]
        type: TOKEN
"""
)

TWO_WINDOWS = (
    HEAD
    + """\
    descriptors:
      - key: window
        value: hour
        descriptors:
          - {key: team, value: dba, rateLimit: {requestsPerUnit: 5000, unit: HOUR}}
      - key: window
        value: day
        descriptors:
          - {key: team, value: dba, rateLimit: {requestsPerUnit: 50000, unit: DAY}}
          - {key: team, rateLimit: {requestsPerUnit: 100, unit: DAY}}
    rateLimits:
      - actions:
          - genericKey: {descriptorKey: window, descriptorValue: hour}
          - requestHeaders: {descriptorKey: team, headerName: X-Team-ID}
        type: TOKEN
      - actions:
          - genericKey: {descriptorKey: window, descriptorValue: day}
          - requestHeaders: {descriptorKey: team, headerName: X-Team-ID}
        type: TOKEN
"""
)

HOUR_DBA = (("window", "hour"), ("team", "dba"))
DAY_DBA = (("window", "day"), ("team", "dba"))


def write(folder: Path, text: str) -> Path:
    file = folder / "policy.yaml"
    file.write_text(text, encoding="utf-8")
    return file
