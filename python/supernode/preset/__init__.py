"""Presets and system files: their form, how they become systems, and where each of their numbers comes from."""
