"""Notebooks that students have worked in: progress, reset, update, grading."""
