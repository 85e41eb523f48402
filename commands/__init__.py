"""The table of contents of `/whatsapp-360d-cloud`: one value of type Command in each file, in the order of `help`."""
