"""Measurements, each beside a floor in the same run: what counts is the ratio, because machines differ and are noisy."""
