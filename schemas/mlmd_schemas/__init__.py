"""What the other packages agree on: messages, tables, errors, and who calls."""
