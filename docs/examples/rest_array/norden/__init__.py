"""Norden, a vendor that does not exist: a Cinder driver for its array, and a fake of the array."""
