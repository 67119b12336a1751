"""`quantgate quantize`: recipes, and the programs that run one in an environment of their own.

model (base) + recipe (recipes) + texts (calibration, tokens.py) → llm-compressor (environment, child, oneshot.py) → input scales where
there were no texts (repair) → structural check, manifest → its place, by one rename (place)
"""

from quantgate.quantize.child import StoppedError, stoppable
from quantgate.quantize.making import Asked, Made, Tools, make
from quantgate.quantize.progress import WHO, Progress

__all__ = [
    "WHO",
    "Asked",
    "Made",
    "Progress",
    "StoppedError",
    "Tools",
    "make",
    "stoppable",
]
