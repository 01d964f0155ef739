"""Environment checks, checkpoints, randomness and what the tools share."""
