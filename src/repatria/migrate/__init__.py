"""Bringing a dataset home: inventory, plan, copy, restore."""
