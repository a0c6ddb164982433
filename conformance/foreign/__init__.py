"""Foreign code at arm's length: a driver may raise, hang, print, leave threads, write files, change Python.

Whatever it does is a verdict on the law that met it (`guard`), and machine and interpreter stay as they were
(`machine`, `threads`, `library`). What ends the process is for `conformance.isolation`.
"""
