"""The command line: data to stdout, messages and progress to stderr.

Exit codes: 0 all went well, 1 a simulation failed, 2 the input is not valid, 130 interrupted.
"""

from supernode.cli.app import main

__all__ = ["main"]
