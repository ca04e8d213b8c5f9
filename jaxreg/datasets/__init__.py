"""Two small real data sets that ship with the package: no download, nothing beyond NumPy to read them."""

from jaxreg.datasets._dataset import Dataset
from jaxreg.datasets._load import load_hsb, load_tecator

__all__ = ["Dataset", "load_hsb", "load_tecator"]
