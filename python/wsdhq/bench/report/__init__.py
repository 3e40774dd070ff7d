"""What a benchmark measured, as tables and plots."""
