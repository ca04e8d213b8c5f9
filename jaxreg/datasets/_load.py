"""The loaders: each reads the compressed table beside this file and splits its columns by name."""

import csv
import gzip
from importlib.resources import files

import numpy as np

from jaxreg.datasets._dataset import Dataset

_TECATOR = """Near-infrared absorbance spectra of 215 samples of finely chopped pure meat, 100 channels in
850-1050 nm, with the contents of water, fat and protein in percent from analytic chemistry. Recorded on a
Tecator Infratec Food and Feed Analyzer; mention the instrument and the company name (Tecator) in
publications. Public domain, redistributed with the permission note in tecator.md. Source:
http://lib.stat.cmu.edu/datasets/tecator."""

_HSB = """Mathematics achievement of 7185 pupils in 160 United States high schools, a subsample of the 1982
survey High School and Beyond (National Center for Education Statistics). Three features describe the pupil,
six the school. For statistical use only. Source: Raudenbush and Bryk (2002), Hierarchical Linear Models, 2nd
edition, Sage, chapter 4."""


def load_tecator() -> Dataset:
    """Near-infrared spectra of meat and its water, fat and protein: 3 targets measured on the same rows.

    ``X`` is (215, 100) float64, the absorbance -log10(transmittance) at 100 channels over 850-1050 nm,
    ``x_001`` to ``x_100``. ``y`` is (215, 3) float64: water, fat and protein in percent. ``task_id`` is None.
    22 rows repeat an earlier row exactly: drop them, or keep each pair in one fold, before trusting a
    held-out error.

    Source: Tecator Infratec Food and Feed Analyzer; StatLib, http://lib.stat.cmu.edu/datasets/tecator.

    >>> data = load_tecator()
    >>> data
    <Dataset tecator: X (215, 100), y (215, 3)>
    >>> [f"{name} {mean:.1f} %" for name, mean in zip(data.targets, data.y.mean(axis=0))]
    ['water 63.2 %', 'fat 18.1 %', 'protein 17.7 %']
    """
    table = _read("tecator")
    targets = ("water", "fat", "protein")
    features = tuple(name for name in table if name not in targets)
    X, y = _columns(table, features), _columns(table, targets)
    return Dataset("tecator", X, y, None, features, targets, None, " ".join(_TECATOR.split()))


def load_hsb() -> Dataset:
    """Mathematics achievement of pupils in 160 schools, one ragged task per school (High School and Beyond).

    ``X`` is (7185, 9) float64. Of the pupil: ``minority`` (0/1), ``female`` (0/1), ``ses`` (standardised
    socio-economic scale). Of the school: ``size`` (pupils), ``catholic`` (0/1), ``pracad`` (share on the
    academic track, 0 to 1), ``disclim`` (scale of disciplinary climate), ``himinty`` (0/1, high minority
    enrolment), ``mean_ses`` (scale as ``ses``). ``y`` is (7185,) float64, test points. ``task_id`` is (7185,)
    strings, the school's number; a school has 14 to 67 pupils, and within it its six columns are constant.

    Source: Raudenbush and Bryk (2002), Hierarchical Linear Models, 2nd edition, Sage, chapter 4.

    >>> data = load_hsb()
    >>> data
    <Dataset hsb: X (7185, 9), y (7185,), 160 tasks by school>
    >>> data.features[:3], f"{data.y.mean():.3f}", data.task_id[:2].tolist()
    (('minority', 'female', 'ses'), '12.748', ['1224', '1224'])
    """
    table = _read("hsb")
    features = tuple(name for name in table if name not in ("school", "math_achievement"))
    X, schools = _columns(table, features), np.array(table["school"])
    y = np.array(table["math_achievement"], dtype=np.float64)
    return Dataset("hsb", X, y, schools, features, ("math_achievement",), "school", " ".join(_HSB.split()))


def _read(name: str) -> dict[str, tuple[str, ...]]:
    """The table ``name`` as text, column by column, in the order of the file."""
    packed = (files("jaxreg.datasets") / f"{name}.csv.gz").read_bytes()
    header, *rows = csv.reader(gzip.decompress(packed).decode("utf-8").splitlines())
    return dict(zip(header, zip(*rows, strict=True), strict=True))


def _columns(table: dict[str, tuple[str, ...]], names: tuple[str, ...]) -> np.ndarray:
    return np.array([table[name] for name in names], dtype=np.float64).T.copy()
