"""`python -m engine_probe`, which reads its requests from standard input."""

from .serve import serve

if __name__ == "__main__":
    serve()
