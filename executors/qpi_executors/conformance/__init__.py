"""What every executor promises, as tests for whoever writes one: ``pytest --qpi-executor=my_lab.coins:Coins``."""
