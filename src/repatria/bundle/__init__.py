"""The bundle, format 1 (docs/formats/bundle.md)."""
