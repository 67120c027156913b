"""Proto <-> model, both directions, nothing else."""
