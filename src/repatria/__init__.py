"""Repatria brings health data home and paper archives within reach; the words are those of docs/design.md."""

__version__ = "0.1.0"
