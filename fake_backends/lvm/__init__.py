"""LVM: volume groups, the logical volumes in them, and the reference driver that serves them over iSCSI."""
