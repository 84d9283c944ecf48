"""Commands of `mlmd` one after another in one process; prints what each said: exit status and standard output."""

import json

from click.testing import CliRunner
from mlmd_client.command_line.commands import mlmd

COMMANDS = {
    "ls": ["ls", "--json"],
    "show": ["show", "churn@champion", "--json"],
    "runs": ["runs", "churn/train", "--json"],
    "tree": ["lineage", "churn@2"],
    "graph": ["lineage", "churn@2", "--format", "json"],
    "compare": ["compare", "churn@1", "churn@2", "--json"],
    "put": ["put", "more.csv", "more", "--alias", "fresh", "--json"],
    "get": ["get", "more@fresh", "got", "--json"],
    "doctor": ["doctor", "--json"],
    "absent": ["show", "nothing@3"],
}

if __name__ == "__main__":
    said = {name: CliRunner().invoke(mlmd, command) for name, command in COMMANDS.items()}
    print(json.dumps({name: [one.exit_code, one.stdout] for name, one in said.items()}))
