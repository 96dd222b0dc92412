"""Benchmarks for asv. Tracked values are costs, because asv takes every increase for a regression."""
