"""The old name of palm_utils.machine."""

VARIABLE = "MKL_DEBUG_CPU_TYPE"
