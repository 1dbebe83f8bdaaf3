NORMALISE = [(r"hostname=[A-Za-z0-9.-]+", "hostname=@HOSTNAME@")]
