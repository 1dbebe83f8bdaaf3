STATUS = True
