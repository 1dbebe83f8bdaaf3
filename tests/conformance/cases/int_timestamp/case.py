NORMALISE = [(r"timestamp=[0-9]{13}", "timestamp=@MILLIS@")]
