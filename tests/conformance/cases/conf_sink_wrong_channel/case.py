READY = "none"
STATUS = True
