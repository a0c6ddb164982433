"""The real Cinder as an engine: its unmodified API, scheduler, volume manager and objects in one process.

Nothing else in Crucible imports cinder, oslo or os_brick, and nothing here is imported before a command asks
for ``--engine cinder``. Reading order: `release` (which Cinder is there), `boot` (one process), `seams` (every
replacement of real code), `cloud` (one cell's deployment), `rest`, `rows`, `services` and `keys` (its parts).
"""
