"""The engine itself is asked: does this vLLM take the checkpoint, and is every parameter written?

vLLM's own configuration, model class and loader read the folder on the CPU, in a process of their own (`engine_probe`, which may run
under another interpreter and so under another vLLM). No server, no kernel, no device.
"""

from quantgate.checkpoint.engine.answer import Answer, Problem
from quantgate.checkpoint.engine.asking import LIMIT_SECONDS, Engine, as_served
from quantgate.checkpoint.engine.telling import tell, with_engine

__all__ = ["LIMIT_SECONDS", "Answer", "Engine", "Problem", "as_served", "tell", "with_engine"]
