SORT = ["k1"]
