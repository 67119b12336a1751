"""Results that people already have: other harnesses' files, item by item, as measurements that may be judged.

`readers.py` has the table of harnesses, a module each; every one fills a `Run` (`run.py`), and `pairing.py` makes two of them two records.
"""

from quantgate.measure.adopt.figures import Column, columns
from quantgate.measure.adopt.pairing import Pair, pair
from quantgate.measure.adopt.plain import columns_of
from quantgate.measure.adopt.readers import adopt, is_foreign
from quantgate.measure.adopt.run import Choice, Figure, Mean, Run
from quantgate.measure.adopt.sides import only_record, pairs

__all__ = [
    "Choice",
    "Column",
    "Figure",
    "Mean",
    "Pair",
    "Run",
    "adopt",
    "columns",
    "columns_of",
    "is_foreign",
    "only_record",
    "pair",
    "pairs",
]
