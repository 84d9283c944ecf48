"""Chance for pauses and housekeeping, drawn apart from the program's own."""

from random import SystemRandom

CHANCE = SystemRandom()
"""What a program draws after it called `random.seed` stays the same, however many threads of ours draw meanwhile."""
