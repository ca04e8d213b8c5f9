"""The command line's parts: reading a table, the ways of sharing, the comparison, writing its files."""
