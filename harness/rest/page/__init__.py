"""The page for browsers: volumes, back-ends and running migrations, live.

Everything is rendered on the server, by Jinja with autoescape; a few lines of script fetch the board again
every second and put it in place of the old one. Nothing comes from anywhere else, and no script stands in the
page.
"""
