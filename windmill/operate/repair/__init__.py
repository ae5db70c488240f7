"""Repair: publishing again what was submitted and got lost, and marking what is stale without a mark."""
