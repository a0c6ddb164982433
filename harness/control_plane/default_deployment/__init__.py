"""The cinder.conf files of the deployment that is used when the user names none, one per node."""
