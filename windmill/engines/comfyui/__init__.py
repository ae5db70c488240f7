"""Engines that are ComfyUI servers: a graph of nodes in, pictures out.

engine      the engine; client speaks to the server
graph       the graph as it is sent: inputs, parameters and names of files filled in
history     what the history of the server says about a prompt; the only source of truth
refusals    why a server refuses a graph, and whether something has to be installed
events      progress, from the events of the server's socket; nothing else is taken from there
"""
