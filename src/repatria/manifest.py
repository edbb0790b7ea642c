"""Manifests: TOML in, model out; nowhere else."""
