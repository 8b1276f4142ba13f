import sys

sys.stdout.write(f"ran {sys.argv[1]} without a newline")
