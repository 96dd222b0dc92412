"""Files: reading texts with errors that name them, writing whole or not at all, and the package's own data."""
