print("no migrations to run")
