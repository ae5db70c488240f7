"""Text: redaction of secrets, labels, readers for JSON documents, tables for a terminal. Pure."""
