"""The fleet's own library: one module for each thing that lies outside the process."""

VERSION = "0.1.0"
