"""Communication libraries: collectives, algorithms and element types by name, and what the software costs."""
