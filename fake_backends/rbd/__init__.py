"""RBD: a cluster with pools of images that behaves like librbd, and a volume driver over it."""
