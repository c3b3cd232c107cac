target=1.25
