"""Walks over what made what: bounded subgraphs, whole ancestries, and their export to other tools."""
