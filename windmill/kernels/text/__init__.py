"""Text: addresses and hosts, secrets taken out, labels, documents read and tables written. Pure."""
