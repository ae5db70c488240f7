"""Flow control: retry delays and limits, concurrency limits, debouncing, capacity estimates. No I/O and no clock.

Two classes keep state between calls: AdaptiveConcurrencyLimit and FailureRate. Everything else is a pure function or
a value.
"""
