"""Exit codes of the command line: done and good; a verdict of fail, or an unsound checkpoint; could not run, or nothing to judge."""

GOOD, FAILED, COULD_NOT = 0, 1, 2
