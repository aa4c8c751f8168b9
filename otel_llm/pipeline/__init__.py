"""Agents in sequence, side by side and in the background."""
