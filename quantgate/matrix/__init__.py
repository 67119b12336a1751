"""What there is to do, what it costs, who does which part of it, and what of it is done."""

from quantgate.matrix.cost import Costs, SuiteCost, class_with, costs, costs_of, split_class, worth
from quantgate.matrix.cut import cut, ends_of, family_seconds, lower_bound
from quantgate.matrix.environment import Place, shard_of
from quantgate.matrix.plan import Asked, Plan, PlannedShard, PlannedSuite, PlannedUnit, plan
from quantgate.matrix.reuse import done
from quantgate.matrix.unit import Cost, Unit, units

__all__ = [
    "Asked",
    "Cost",
    "Costs",
    "Place",
    "Plan",
    "PlannedShard",
    "PlannedSuite",
    "PlannedUnit",
    "SuiteCost",
    "Unit",
    "class_with",
    "costs",
    "costs_of",
    "cut",
    "done",
    "ends_of",
    "family_seconds",
    "lower_bound",
    "plan",
    "shard_of",
    "split_class",
    "units",
    "worth",
]
