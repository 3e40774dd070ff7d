"""What trains: inputs, objective, loop, checkpoints."""
