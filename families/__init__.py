"""Families whose checkpoints are made where they are asked for: a models.toml for each, and the program that makes and gates it."""
