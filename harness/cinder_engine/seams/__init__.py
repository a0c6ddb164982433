"""Every replacement of real code, and nothing else: what is not named here is Cinder's own.

| module | replaced | by |
|---|---|---|
| `imports` | what Cinder does to a process, or asks of it, when it is imported | the same, undone later |
| `commands` | `processutils.execute`, privileged contexts | Crucible's command lines, in this process |
| `database` | how SQLAlchemy connects and begins | one connection to memory that keeps its statements |
| `clock` | clocks, sleep, uuids, random secrets | virtual time, streams of the seed |
| `locks` | tooz and lockutils | locks of the kernel |
| `rpc` | the transport of oslo.messaging | Crucible's bus, through JSON |
| `services` | Nova, castellan, thread pools | the cell's own |
| `images` | Glance | the images of the cell |
| `ceph` | modules `rados` and `rbd`, os-brick's ceph.conf | the clusters of the cell |
| `connectors` | os-brick's iSCSI connector | logins at the fake portal |
| `files` | `open`, `os.stat`, `os.rename` of devices and of what is mounted | the machine of the service |
| `network` | HTTP, SSH, sockets | the fake of the driver's array, and nobody else |
| `loops` | threads of oslo.service's looping calls | tasks of the kernel |
| `streams` | standard output and error | lines of the timeline |
| `copying` | the source of a copy through file objects | the same, taking virtual time |
| `releases` | eventlet's threads; what has another place in older releases | calls here and now |
| `logs` | log handlers | lines of the timeline, without passwords |
| `driver_calls` | nothing: it looks on | every call of a driver is a named point |
"""
