"""One-sided exact p-values, and Holm's correction of several. Everywhere a positive difference means worse."""

from collections.abc import Sequence


def mcnemar_p(regressed: int, improved: int) -> float:
    """Exact one-sided McNemar test: P(X >= regressed), X ~ Binomial(regressed + improved, 1/2); 1.0 without discordance.

    Under "no drop" a discordant pair falls either way like a coin (McNemar 1947, Psychometrika 12:153).
    """
    from scipy import special

    if regressed < 0 or improved < 0:
        raise ValueError(f"regressed = {regressed}, improved = {improved}: counts start at 0")
    if regressed == 0:
        return 1.0
    return float(special.bdtrc(regressed - 1, regressed + improved, 0.5))


def mcnemar_mid_p(regressed: int, improved: int) -> float:
    """One-sided mid-p McNemar test: P(X > regressed) + P(X = regressed)/2, X as in `mcnemar_p`.

    Less conservative than the exact test, which counts the whole of P(X = regressed) (Fagerland, Lydersen and Laake
    2013, BMC Medical Research Methodology 13:91). It and that of the checkpoints in changed places add up to 1, so
    without discordance it is 1/2: no evidence either way. Its level is not guaranteed; verdicts use `mcnemar_p`.
    """
    return (mcnemar_p(regressed, improved) + (mcnemar_p(regressed + 1, improved - 1) if improved else 0.0)) / 2


def holm(p_values: Sequence[float]) -> list[float]:
    """Holm's adjusted p-values, in the order given: for the i-th smallest of m, max over j <= i of (m - j + 1)*p_j, at most 1.

    Rejecting where one is <= alpha errs anywhere with a probability of alpha at most (Holm 1979, Scandinavian Journal
    of Statistics 6:65). Raises ValueError for what is no probability, NaN too.
    """
    if wrong := [p for p in p_values if not 0 <= p <= 1]:
        raise ValueError(f"p = {wrong[0]}: a probability lies between 0 and 1")
    adjusted, reached = [0.0] * len(p_values), 0.0
    for step, place in enumerate(sorted(range(len(p_values)), key=p_values.__getitem__)):
        reached = max(reached, min(1.0, (len(p_values) - step) * p_values[place]))
        adjusted[place] = reached
    return adjusted


def fisher_p(right_base: int, n_base: int, right_cand: int, n_cand: int) -> float:
    """Fisher's exact one-sided test of "the candidate is not worse", unpaired: P(X <= right_cand).

    X ~ Hypergeometric: n_cand drawn out of n_base + n_cand, of which right_base + right_cand are right (Fisher 1935,
    Journal of the Royal Statistical Society 98:39).
    """
    from scipy import stats as scipy_stats

    if not (0 <= right_base <= n_base and 0 <= right_cand <= n_cand):
        raise ValueError(f"{right_base} right of {n_base}, {right_cand} of {n_cand}: need 0 <= right <= n")
    return float(scipy_stats.hypergeom.cdf(right_cand, n_base + n_cand, right_base + right_cand, n_cand))
