"""Windmill's benchmarks. They print ratios within one run, because absolute times depend on the machine."""
