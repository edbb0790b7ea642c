"""repatria.toml: what is set once for a machine or a folder."""
