"""How a database gets from any old shape to today's; imports nothing of ours, so that history stays as it was."""

from mlmd_migrations.errors import SchemaError
from mlmd_migrations.opening import Schema, open_schema

__all__ = ["Schema", "SchemaError", "open_schema"]
