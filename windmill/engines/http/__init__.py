"""Engines that are HTTP servers: POST /infer, with the inputs in the request and the outputs in the answer.

engine          the engine
request_body    the forms of the request: multipart, raw, JSON
answer          what a JSON answer means: paths, URLs, data, a failure, or itself the result
unpacking       archives, unpacked within bounds
"""
