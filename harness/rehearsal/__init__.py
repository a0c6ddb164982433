"""Rehearsing one migration before it is done for real: what will happen, why, and what to do instead.

A request in words becomes a cell of the matrix (`question`), the cell is run in the simulation and explained by
the matrix's own rules (`answer`). There is no second set of rules here: `space`, `safety`, `advice` and
`releases` only put into words what follows from a rule's situation.
"""
