"""Queues, exchanges, bindings and policies: ask* read them from the broker, judge* compare them with what should be."""
