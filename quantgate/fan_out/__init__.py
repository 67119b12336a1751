"""The matrix over a cluster: each unit where there is room for it, and all of it merged in the end."""

from quantgate.fan_out.asked import Asked, environment_of
from quantgate.fan_out.engine import Attempt, Engine, Lost, Need, Place
from quantgate.fan_out.fan import Fanned, fan_out, lines_of, plan
from quantgate.fan_out.on_ray import RayEngine
from quantgate.fan_out.slurm import run_slurm
from quantgate.fan_out.slurm_scripts import SlurmAsked

__all__ = [
    "Asked",
    "Attempt",
    "Engine",
    "Fanned",
    "Lost",
    "Need",
    "Place",
    "RayEngine",
    "SlurmAsked",
    "environment_of",
    "fan_out",
    "lines_of",
    "plan",
    "run_slurm",
]
