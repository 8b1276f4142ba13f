import sys

if sys.argv[1] == "migrate":
    print("Operations to perform:")
    print("  Apply all migrations: admin, auth, showroom")
    print("Running migrations:")
    print("  No migrations to apply.")
else:
    print(f"{sys.argv[1]}: 0 of at most {sys.argv[3]} messages sent")
