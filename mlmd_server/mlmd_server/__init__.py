"""The process: configuration, wiring, command line, lifecycle."""


def version() -> str:
    """Return the version of the installed distribution."""
    from importlib.metadata import version as installed

    return installed("mlmd-server")
