"""Volume groups in files: one sparse file per physical volume, laid out as lvm2 and device-mapper would."""
