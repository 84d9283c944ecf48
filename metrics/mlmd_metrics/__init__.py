"""Evaluations from rows to figures and drawings: matrices, curves, intervals, series; numpy only where rows come in."""
