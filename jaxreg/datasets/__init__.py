"""Small real data sets: two tables that ship with the package, and images from scikit-learn or the user's folder."""

from jaxreg.datasets._dataset import Dataset
from jaxreg.datasets._images import ImageTasks, load_cifar10, load_digits_tasks, make_overlaid_digits
from jaxreg.datasets._load import load_hsb, load_tecator

__all__ = [
    "Dataset",
    "ImageTasks",
    "load_cifar10",
    "load_digits_tasks",
    "load_hsb",
    "load_tecator",
    "make_overlaid_digits",
]
