//! Compiling, and what a compiled workload says of itself.
