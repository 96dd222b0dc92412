use super::RunSpec; use crate::error::Result; /// Checks.
pub fn validate(_s: &RunSpec) -> Result<()> { Ok(()) }
