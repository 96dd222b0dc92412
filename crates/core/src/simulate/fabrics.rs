//! Fabrics that were built, so that runs on one machine share one.
//!
//! **Model.** A run that is given a store takes its fabric from there if the same system was built before, and leaves it there
//! otherwise. What a fabric makes on first use (next hops of explicit graphs, parts of networks) is made once, too.
//!
//! **Invariant.** A fabric follows from its specification alone, so a run gives the same result with and without a store.
//!
//! **Cost.** A comparison of specifications per run instead of building: nothing for trees and tori, which are arithmetic,
//! and half of a small run on an explicit graph. **Limits.** The fabrics that were not used for longest are dropped. Two threads
//! that ask for a new one at the same time both build it, and one is kept.

use std::sync::{Arc, Mutex, PoisonError};

use crate::control::Control;
use crate::error::Result;
use crate::fabric::Fabric;
use crate::spec::SystemSpec;

/// A store of the fabrics that were used last; shared by threads.
#[derive(Debug)]
pub struct Fabrics {
    most: usize,
    /// The one that was used last is at the end.
    kept: Mutex<Vec<Arc<Fabric>>>,
}

impl Fabrics {
    /// A store of at most so many fabrics.
    pub fn new(most: usize) -> Self {
        Self { most, kept: Mutex::default() }
    }

    /// The fabric of a validated specification.
    ///
    /// # Errors
    /// Those of [`Fabric::new`].
    pub fn get(&self, spec: &SystemSpec, control: &Control) -> Result<Arc<Fabric>> {
        if let Some(found) = self.find(spec) {
            return Ok(found);
        }
        let built = Arc::new(Fabric::new(spec, control)?);
        if let Some(found) = self.find(spec) {
            return Ok(found);
        }
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        kept.push(Arc::clone(&built));
        let surplus = kept.len().saturating_sub(self.most);
        kept.drain(..surplus);
        Ok(built)
    }

    fn find(&self, spec: &SystemSpec) -> Option<Arc<Fabric>> {
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        let place = kept.iter().rposition(|fabric| fabric.spec == *spec)?;
        let found = kept.remove(place);
        kept.push(Arc::clone(&found));
        Some(found)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn system(accelerators: u32) -> SystemSpec {
        let text = format!(
            r#"{{"name": "m", "accelerators": {accelerators}, "device": {{}}, "networks": [{{"name": "nv", "span": {accelerators},
                 "topology": {{"kind": "clos", "down": [{accelerators}], "up": [1], "parallel": [1]}}, "planes": [1],
                 "links": [{{"rate": 800000000000, "latency_fs": 400000000}}], "switches": [{{"latency_fs": 200000000}}],
                 "payload": 4096, "overhead": 0}}]}}"#
        );
        serde_json::from_str(&text).unwrap()
    }

    #[test]
    fn the_same_system_is_built_once_and_the_longest_unused_is_dropped() {
        let (store, control) = (Fabrics::new(2), Control::default());
        let get = |n: u32| store.get(&system(n), &control).unwrap();
        let (two, three) = (get(2), get(3));
        assert!(Arc::ptr_eq(&two, &get(2)) && !Arc::ptr_eq(&two, &three));
        get(4); // three was not used for longest
        assert!(Arc::ptr_eq(&two, &get(2)));
        assert!(!Arc::ptr_eq(&three, &get(3)));
    }

    #[test]
    fn a_store_of_none_keeps_nothing() {
        let store = Fabrics::new(0);
        let one = store.get(&system(2), &Control::default()).unwrap();
        assert!(!Arc::ptr_eq(&one, &store.get(&system(2), &Control::default()).unwrap()));
    }

    #[test]
    fn what_cannot_be_built_is_not_kept() {
        let mut wrong = system(2);
        wrong.networks[0].span = 3;
        let store = Fabrics::new(2);
        assert!(store.get(&wrong, &Control::default()).is_err() && store.find(&wrong).is_none());
    }
}
