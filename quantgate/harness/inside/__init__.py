"""What runs in the harnesses' own environments: programs, started by their files, that import nothing of ours."""

__all__ = ["HERE"]

from pathlib import Path

HERE = Path(__file__).parent
