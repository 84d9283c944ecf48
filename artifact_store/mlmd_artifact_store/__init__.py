"""The bytes of artifacts: where they are, how they get there and back, and the proof that they are the same bytes."""
