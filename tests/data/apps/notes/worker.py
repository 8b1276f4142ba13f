import time
print("worker ready")
while True:
    time.sleep(0.2)
