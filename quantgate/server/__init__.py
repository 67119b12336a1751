"""One vLLM: ours, from its command line to the last process that has to go, or somebody else's endpoint."""

from quantgate.server.endpoint import Endpoint, endpoint_slot, parse_endpoint
from quantgate.server.launch import left_out, versions, vllm_version
from quantgate.server.liveness import watched
from quantgate.server.pool import Pool
from quantgate.server.server import Server
from quantgate.server.serving import Secret, Serving
from quantgate.server.vllm_log import Chosen

__all__ = [
    "Chosen",
    "Endpoint",
    "Pool",
    "Secret",
    "Server",
    "Serving",
    "endpoint_slot",
    "left_out",
    "parse_endpoint",
    "versions",
    "vllm_version",
    "watched",
]
