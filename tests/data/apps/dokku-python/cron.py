print("cron run")
