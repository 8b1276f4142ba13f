"""One file for each kind of package. `make` gives the files that it has written."""
