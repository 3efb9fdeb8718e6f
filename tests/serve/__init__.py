"""Against a real local Ray cluster, in both topologies."""
