"""GraphQL: everything of the store as one graph, on the same functions as the other wires."""
