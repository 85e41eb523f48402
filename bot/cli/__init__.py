"""The command line: one file for each subcommand, each ending in one value of type `Subcommand`.

`bot/__main__.py` holds the table. A new subcommand is a new file here and one line there.
"""
