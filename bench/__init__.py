"""Problems x methods x judge: times at equal achieved gap. Run it with `python -m bench`."""
