"""An NFS-like share, the qcow2 format, and the reference NFS driver over them."""
