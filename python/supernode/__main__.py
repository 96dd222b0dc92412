"""``python -m supernode``: the command line."""

from supernode.cli import main

if __name__ == "__main__":
    main()
