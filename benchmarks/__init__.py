"""Every speed claim as a command: `python -m benchmarks <area>`, one module per area, each beside its peer or limit.

An area's module has `run() -> Mapping[str, float | int]`: it starts its own services (`benchmarks.services`, durability
on), measures the shipped path and its peer in one run, and returns the figures of the closing line. README.md here
has the commands and the figures.
"""
