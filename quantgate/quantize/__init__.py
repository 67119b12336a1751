"""`quantgate quantize`: recipes, and the programs that run one in an environment of their own.

model (base) + recipe (recipes) + texts (calibration, tokens.py) → llm-compressor (program, oneshot.py) → input scales where
there were no texts (repair) → structural check, manifest → its place, by one rename (place)
a model inside a package (packaged) → BF16 (dequantize.py) → its place
"""

from quantgate.quantize.making import Asked, Made, Tools, make
from quantgate.quantize.packaged import Packaged, Unpacking, unpack

__all__ = [
    "Asked",
    "Made",
    "Packaged",
    "Tools",
    "Unpacking",
    "make",
    "unpack",
]
