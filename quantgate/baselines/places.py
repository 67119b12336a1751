"""How approved measurements are named, and what is checked of each that is read, wherever it lies."""

from collections.abc import Callable

from quantgate.errors import BaselineError, MeasurementError, StoreAwayError
from quantgate.judgement import malformed
from quantgate.records import Measurement


def name_of(measured: Measurement) -> str:
    """Where a measurement lies below `baselines/` once it is approved, without the ending."""
    return place_of(measured.provenance.device_class, measured.family, measured.checkpoint, measured.suite)


def place_of(*parts: str) -> str:
    """Where what is of this device class, family, checkpoint and suite (or of the first of these alone) lies below `baselines/`."""
    return "/".join(part.replace("/", "-") for part in parts)


def checked(read: Callable[[], Measurement], where: str, whose: tuple[str, str, str], way_out: str) -> Measurement:
    """What `read` gives, if it is a measurement of this family, checkpoint and suite; raises BaselineError, a sentence with `where`."""
    try:
        found = read()
    except MeasurementError as error:
        raise BaselineError(f"{error}; {way_out}") from error
    except StoreAwayError as error:
        raise StoreAwayError(f"{where}: {error}", denied=error.denied) from None
    except BaselineError as error:
        raise BaselineError(f"{where}: {error}") from None
    if (found.family, found.checkpoint, found.suite) != whose:
        raise BaselineError(f"{where} holds {found.family}/{found.checkpoint} {found.suite}, which is not what its place says")
    if (wrong := malformed(found)) is not None:
        raise BaselineError(f"{where} was not written by a measurement: {wrong}; {way_out}")
    return found
