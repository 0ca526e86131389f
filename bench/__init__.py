"""Benchmarks: contenders side by side in one run, interleaved, medians and ratios. Never part of the tests."""
