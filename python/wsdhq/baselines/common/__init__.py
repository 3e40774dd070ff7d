"""What several baselines are built of."""
