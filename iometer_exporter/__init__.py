"""Prometheus exporter for IOmeter smart-meter bridges."""

__version__ = "0.1.0"
