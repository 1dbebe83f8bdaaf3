READY = "none"
