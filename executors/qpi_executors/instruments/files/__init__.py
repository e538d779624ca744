"""Configuration files that labs have: read into a `Device` and the hardware of a library, and written for another."""

from .hardware import LIBRARIES
from .setup import Setup, load
from .write import Converted, convert

__all__ = ["LIBRARIES", "Converted", "Setup", "convert", "load"]
