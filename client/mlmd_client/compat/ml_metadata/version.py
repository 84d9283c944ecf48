"""The version of ml_metadata that this client stands in for."""

__version__ = "1.17.1"
