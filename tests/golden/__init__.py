"""What runs gave before the middle of the core was rebuilt, to the last femtosecond and byte.

``python -m golden`` compares (as in ``make golden``), ``python -m golden --write`` draws new cases and records them.
"""
