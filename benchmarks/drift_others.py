"""What other libraries see in series of nights: `drift.py` runs this in an environment that has one of them and nothing of ours.

Series as JSON on standard input, the places of the changes on standard output. Settings are the library's own, or the nearest to
"one in a hundred, ten nights on either side" that it has.
"""

import json
import math
import sys


def otava(series: list[float]) -> list[int]:
    from otava.analysis import compute_change_points

    return [int(change.index) for change in compute_change_points(series, window_len=50, max_pvalue=0.001)[0]]


def ruptures(series: list[float]) -> list[int]:
    import numpy as np
    import ruptures as rpt

    values = np.asarray(series)
    noise = np.median(np.abs(np.diff(values))) / (0.6745 * math.sqrt(2))  # it has no significance: BIC's penalty for a shift of the mean
    found = rpt.Pelt(model="l2", min_size=10, jump=1).fit(values).predict(pen=2 * math.log(len(values)) * noise**2)
    return [int(place) for place in found[:-1]]


def pettitt(series: list[float]) -> list[int]:
    import pyhomogeneity

    found = pyhomogeneity.pettitt_test(series, alpha=0.01, sim=1000)
    return [int(found.cp)] if found.h else []


if __name__ == "__main__":
    look = {"otava": otava, "ruptures": ruptures, "pettitt": pettitt}[sys.argv[1]]
    print(json.dumps([look(one) for one in json.load(sys.stdin)]))
