from statistics import fmean, stdev

import pytest

from mock_llm.latency import Latency, Pace

from .turns import chance


def test_without_a_deviation_the_delays_are_the_means_in_seconds() -> None:
    pace = Pace(Latency(ttft_ms=200, itl_ms=10), chance(1))
    assert pace.first() == pytest.approx(0.2)
    assert pace.gap(8) == pytest.approx(0.08)
    assert pace.whole(101) == pytest.approx(1.2)
    assert pace.whole(1) == pace.whole(0) == pytest.approx(0.2)


def test_delays_deviate_as_they_were_told_and_no_two_runs_of_one_seed_differ() -> None:
    latency = Latency(ttft_ms=200, ttft_deviation_ms=20, itl_ms=10, itl_deviation_ms=3)
    first = [Pace(latency, chance(seed)).first() for seed in range(2000)]
    assert fmean(first) == pytest.approx(0.2, rel=0.02)
    assert stdev(first) == pytest.approx(0.02, rel=0.1)
    gaps = [Pace(latency, chance(seed)).gap(4) for seed in range(2000)]
    assert fmean(gaps) == pytest.approx(0.04, rel=0.02)
    assert stdev(gaps) == pytest.approx(0.006, rel=0.1)
    assert first == [Pace(latency, chance(seed)).first() for seed in range(2000)]


def test_no_delay_is_negative() -> None:
    pace = Pace(Latency(ttft_ms=1, ttft_deviation_ms=1000), chance(1))
    delays = [pace.first() for _ in range(200)]
    assert min(delays) == 0
    assert max(delays) > 0
