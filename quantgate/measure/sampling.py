"""What is sent with every request, so that no default of a server or of a model's generation_config.json acts on an answer.

A penalty acts at temperature 0 too, and takes time. `repetition_penalty`, `top_k` and `min_p` are vLLM's, the other names OpenAI's.
"""

NO_PENALTY = {"presence_penalty": 0.0, "frequency_penalty": 0.0, "repetition_penalty": 1.0}
"""For a load, whose answers nobody reads: what would cost time."""
NEUTRAL = {**NO_PENALTY, "top_p": 1.0, "top_k": -1, "min_p": 0.0}
