"""Measurements, each a program that starts its own server: ``python -m bench.creates``."""
