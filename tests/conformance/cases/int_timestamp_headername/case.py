NORMALISE = [(r"ts=[0-9]{13}", "ts=@MILLIS@")]
