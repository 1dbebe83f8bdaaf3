"""Headers print in the order of java.util.HashMap: 7 entries in 16 buckets, 16 entries after it has grown."""
