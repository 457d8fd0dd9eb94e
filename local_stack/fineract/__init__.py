"""A stand-in for Apache Fineract: its v1 contract over HTTP, with state in one SQLite file.

It speaks the paths, bodies, codes and statuses of a real server, so a client is pointed at either by its base
URL alone. What a real server accepts and this one can't compute is answered with 501 and a text that says so:
never with a guess. `faults` documents the `/standin` paths that add latency and failures for tests; all are
off by default.
"""
