"""Submitting: registering images, and putting them into the queues of services. For every program that submits: none
of it reads a command line, draws a bar or prints."""
