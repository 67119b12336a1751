"""The matrix over a cluster: each unit where there is room for it, and all of it merged in the end."""

from quantgate.fan_out.asked import Asked, environment_of
from quantgate.fan_out.driving import Driver
from quantgate.fan_out.engine import Attempt, Engine, Lost, Need, Place
from quantgate.fan_out.fan import Fanned, fan_out, lines_of, plan
from quantgate.fan_out.on_ray import RayEngine
from quantgate.fan_out.slurm import run_slurm
from quantgate.fan_out.slurm_scripts import SlurmAsked
from quantgate.fan_out.wire import Job, News
from quantgate.fan_out.work import Work

__all__ = [
    "Asked",
    "Attempt",
    "Driver",
    "Engine",
    "Fanned",
    "Job",
    "Lost",
    "Need",
    "News",
    "Place",
    "RayEngine",
    "SlurmAsked",
    "Work",
    "environment_of",
    "fan_out",
    "lines_of",
    "plan",
    "run_slurm",
]
