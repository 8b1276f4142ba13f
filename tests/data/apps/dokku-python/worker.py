import signal

print("sleepy worker")
signal.pause()
