"""The operations of the API, one file for each collection of Cinder's."""
