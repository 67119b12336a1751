"""Pure mathematics: exact tests, intervals, power. Knows nothing of servers, suites or tolerances."""

from quantgate.stats.bootstrap import RESOLUTION_NATS, bootstrap_log_ratio
from quantgate.stats.clusters import (
    ENOUGH_CLUSTERS,
    PRIOR_CLUSTERS,
    clustered_proportion_interval,
    clustered_score_interval,
    design_effect,
    effective_clusters,
)
from quantgate.stats.early import CAP_NATS, log_e_that_it_does_not_fail, log_e_that_it_fails, log_e_that_it_passes
from quantgate.stats.enumeration import decide_counts, paired_score, paired_tables
from quantgate.stats.intervals import (
    CONFIDENCE,
    CONTINUITY_ITEMS,
    Z_INTERVAL,
    Estimate,
    clustered_interval,
    mean_interval,
    paired_proportion_interval,
    unpaired_proportion_interval,
    welch_interval,
)
from quantgate.stats.kl import divergence, kl_lower_bound
from quantgate.stats.power import mde, mde_from_interval, n_needed, n_needed_from_interval
from quantgate.stats.significance import fisher_p, holm, mcnemar_mid_p, mcnemar_p
from quantgate.stats.strata import nested_mean, nested_stderr, nested_weights, stratified_score_interval

__all__ = [
    "CAP_NATS",
    "CONFIDENCE",
    "CONTINUITY_ITEMS",
    "ENOUGH_CLUSTERS",
    "PRIOR_CLUSTERS",
    "RESOLUTION_NATS",
    "Z_INTERVAL",
    "Estimate",
    "bootstrap_log_ratio",
    "clustered_interval",
    "clustered_proportion_interval",
    "clustered_score_interval",
    "decide_counts",
    "design_effect",
    "divergence",
    "effective_clusters",
    "fisher_p",
    "holm",
    "kl_lower_bound",
    "log_e_that_it_does_not_fail",
    "log_e_that_it_fails",
    "log_e_that_it_passes",
    "mcnemar_mid_p",
    "mcnemar_p",
    "mde",
    "mde_from_interval",
    "mean_interval",
    "n_needed",
    "n_needed_from_interval",
    "nested_mean",
    "nested_stderr",
    "nested_weights",
    "paired_proportion_interval",
    "paired_score",
    "paired_tables",
    "stratified_score_interval",
    "unpaired_proportion_interval",
    "welch_interval",
]
