"""The HTTP gateway: parse, authorise, one call into windmill, shape. No rule of its own, and nobody imports it."""
