"""Proof that a bundle is what it was."""
