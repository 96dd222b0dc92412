//! flow
pub mod fair;
