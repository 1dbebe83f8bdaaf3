//! The guests are in `examples/`, one file for each world.
