"""Directories of storage files, on a real file system or in pyfakefs, and chunks that live in such files."""
