"""Engines that are programs on this machine.

engine          the engine: one process for each piece of work
lines_engine    the same for a program that stays alive and takes requests as lines of JSON
child           a process and all that it starts, ended together; child_runner is the program between it and us
arguments       the command line and the environment of the program
output_lines    what its lines of output say; log_tail keeps the last of the others
"""
