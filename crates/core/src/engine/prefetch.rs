//! A hint to the processor that a value is needed soon.
//!
//! A visit to an LP follows many short chains of loads (port, queue, packet) that are independent of each other; asking
//! for all first links, then all second links, lets the memory system overlap them. At 65 536 hosts the state is far
//! larger than the caches and this is worth a third of the run time.

/// Asks for the cache line of `value`. Never changes a result; does nothing on processors other than x86-64.
#[inline(always)]
pub(super) fn prefetch<T>(value: &T) {
    #[cfg(target_arch = "x86_64")]
    #[allow(unsafe_code)]
    // SAFETY: a prefetch reads nothing and cannot fault, and the pointer comes from a reference.
    unsafe {
        use std::arch::x86_64::{_MM_HINT_T0, _mm_prefetch};
        _mm_prefetch(std::ptr::from_ref(value).cast::<i8>(), _MM_HINT_T0);
    }
    #[cfg(not(target_arch = "x86_64"))]
    let _ = value;
}
