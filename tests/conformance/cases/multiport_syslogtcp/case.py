NORMALISE = [(r"timestamp=1[0-9]{12}", "timestamp=@MILLIS@")]
