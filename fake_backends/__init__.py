"""Storage that behaves like lvm2 and librbd, and reference drivers over it."""
