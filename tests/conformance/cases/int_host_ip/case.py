NORMALISE = [(r"host=[0-9]+\.[0-9]+\.[0-9]+\.[0-9]+", "host=@IP@")]
