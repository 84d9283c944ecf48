"""`python -m mlmd_client.command_line` is `mlmd`."""

from mlmd_client.command_line import main

main()
