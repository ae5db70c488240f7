"""Engines: what makes files out of files and parameters, behind one Protocol.

engine          the Protocol and its values
entries         what service_config.json says about each; configuration reads it
registry        opens the engines: each behind its guard
guard           breaker, slots, time limit and rising progress of an engine
process         programs on this machine
http            servers that take POST /infer
comfyui         ComfyUI servers
fleet           the services of the image fleet, through their queues
addresses       several addresses of one engine
builtin         draws without a model, for tests and demonstrations
models          the files of models that an engine needs: their checksums and licences
outputs         what an engine left in its folder; remote and cancelling are what several engines share
"""
