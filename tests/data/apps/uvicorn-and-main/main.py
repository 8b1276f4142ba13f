import signal
import sys


def stop(*_):
    print("bot: logged out")
    sys.exit(0)


signal.signal(signal.SIGTERM, stop)
print("bot: logged in")
signal.pause()
