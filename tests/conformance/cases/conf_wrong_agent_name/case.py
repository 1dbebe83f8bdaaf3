READY = "none"
STATUS = True
AGENT_NAME = "nosuch"
