import signal
import sys


def stop(*_):
    sys.stdout.write("bot: logged out\n")
    sys.exit(0)


signal.signal(signal.SIGTERM, stop)
sys.stdout.write("bot: logged in\n")
signal.pause()
