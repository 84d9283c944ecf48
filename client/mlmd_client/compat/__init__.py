"""Programs written for ml_metadata, run by this client.

Where the imports can be touched, `import mlmd_client.compat.ml_metadata as ml_metadata` is the whole migration. Where
they cannot, `python -m mlmd_client.compat script.py` or `python -m mlmd_client.compat -m module` runs the program with
`ml_metadata` leading here, and so does `install()` for the rest of a process.
"""

from mlmd_client.compat.imports import install

__all__ = ["install"]
