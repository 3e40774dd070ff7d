"""What a run directory is, evaluating one, and its report."""
