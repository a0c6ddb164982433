"""A machine as commands see it: paths that lead to devices and files, and the tools that open them."""
