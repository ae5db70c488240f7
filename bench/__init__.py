"""Windmill's own benchmarks. Each prints ratios within one run, because absolute times say more of the machine."""
