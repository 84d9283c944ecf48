"""The facts of a store: ML Metadata's types, nodes and links, with runs, versions and metrics beside them, in SQL."""
