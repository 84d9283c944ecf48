"""`ml_metadata.tools`, which is empty there too."""
