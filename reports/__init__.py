"""Views of a result: each report is a writer, and knows nothing of the others."""
