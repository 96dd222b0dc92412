"""Fuzzers: random runs compared with each other, and damaged inputs that must be errors of this package.

``python -m fuzz --cases 1000`` (``make fuzz CASES=1000``) runs both; a case depends on its number alone.
"""
