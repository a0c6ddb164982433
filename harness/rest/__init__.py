"""The Block Storage API v3 over a simulated deployment: what `crucible serve` answers.

    operations.py     what an operation is: declared once, for routing, validation and the OpenAPI document
    resources/        the operations, one file for each of Cinder's collections, with their views
    application.py    from an HTTP request to an operation and back, as Cinder's middleware does it
    server.py, pace.py    the process: one event loop, and the pace at which virtual time passes in it

Nothing here decides what a request may do: conditions and permissions are the control plane's.
"""
