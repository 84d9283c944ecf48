"""How a database gets from any old shape to today's; imports nothing of ours, so that history stays as it was."""

from mlmd_migrations.condition import Condition, condition_of
from mlmd_migrations.errors import SchemaError
from mlmd_migrations.opening import migrate, open_schema, plan
from mlmd_migrations.schema import Schema

__all__ = ["Condition", "Schema", "SchemaError", "condition_of", "migrate", "open_schema", "plan"]
