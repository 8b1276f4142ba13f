"""The checks of `packaging/check`, by what they install with. Each is a function, whose first line says what it shows."""
