"""Headings of options in help texts, and their order."""

__all__ = ["CHOICE", "FABRIC", "FORMATS", "ORDER", "OUTPUT", "RANKS", "SIZES", "SPEED", "SUPPLIED"]

SIZES = "Sizes"
CHOICE = "Algorithm and software stack"
RANKS = "Ranks and data"
FABRIC = "Fabric"
SPEED = "Fidelity and speed"
FORMATS = "Formats"
SUPPLIED = "What IN does not say"
OUTPUT = "Output"

ORDER = ("Arguments", SIZES, CHOICE, RANKS, FABRIC, SPEED, FORMATS, SUPPLIED, OUTPUT, "Options")
