//! Facts of a fabric: what it consists of, how wide its narrowest cuts are, and how far apart accelerators are.
//!
//! **Model.** [`describe`] counts switches and links by level, [`edges`] lists every link, [`halves`] gives bisection and diameter,
//! [`partition`] looks for narrow cuts of explicit graphs, [`path`] gives distances, and the times and rates of a way.
//!
//! **Invariant.** Everything follows from the fabric alone: nothing here knows of collectives or of runs.
//!
//! **Cost.** Arithmetic, but for lists of links and for cuts of explicit graphs, which are searched once per fabric.
//! **Limits.** A cut that was found need not be the narrowest.

pub mod describe;
pub mod edges;
pub mod halves;
pub mod partition;
pub mod path;

#[cfg(test)]
mod tests;
