"""A stand-in for a ComfyUI server: its HTTP and socket contract, with nodes that need no weights and the usual graph of
a checkpoint, drawn and not diffused. What it accepts ComfyUI accepts; it is stricter where that finds mistakes.

nodes        the nodes as data: inputs with types, bounds and choices
validation   what is wrong with a graph, told as ComfyUI tells it
drawing      what the nodes do
prompts      the queue, the execution of one prompt at a time, the history
server       the HTTP and socket side
check        `farm check URL --service comfyui`: probes that hold any server to the contract
"""
