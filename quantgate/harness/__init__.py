"""Other harnesses' tasks asked of a ready server: each harness in a process and an environment of its own, its results as a measurement.

suite (declared) + server → a task for the harness's program (lm_eval, inspect_tasks, livebench) → its process, watched (running) → its own
files, read by `measure/adopt` → a measurement like any other (measuring)
"""

from quantgate.harness.measuring import declared_fingerprint, measure_harness

__all__ = ["declared_fingerprint", "measure_harness"]
