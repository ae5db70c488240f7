"""The engine `audio`: small models on this machine that tell speech from silence, speakers apart, and write down words.

engine          gives requests to a process that keeps the models in memory
program         that process, the only one that loads them
libraries       what of the extra `audio` is installed
voice_weights   the weights of the voice encoder
"""
