"""Measured cells as tables, figures and files."""
