"""What lvm2 and device-mapper keep on disk: labels, metadata areas, text metadata, snapshot stores.

Pure formats over anything that reads and writes like a block device; nothing here knows a volume group
that is in use. Source: lvm2's ``lib/format_text`` and the kernel's ``dm-snap-persistent``.
"""
