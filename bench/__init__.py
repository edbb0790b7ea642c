"""Benches: `python -m bench.NAME` from the project's root, or `./run bench NAME`."""
