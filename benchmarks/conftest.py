"""Figures for the README: ``pip install -e '.[test,bench]' && pytest benchmarks``."""
