//! An allocator that counts: what is allocated now, and the most that was since a moment.

use std::alloc::{GlobalAlloc, Layout, System};
use std::sync::atomic::{AtomicUsize, Ordering};

static NOW: AtomicUsize = AtomicUsize::new(0);
static PEAK: AtomicUsize = AtomicUsize::new(0);

/// The system's allocator, counted. A program declares it as its `global_allocator`; in one that
/// doesn't, [`grown`] is always 0.
pub struct Counted;

fn more(size: usize) {
    let now = NOW.fetch_add(size, Ordering::Relaxed) + size;
    PEAK.fetch_max(now, Ordering::Relaxed);
}

fn less(size: usize) {
    NOW.fetch_sub(size, Ordering::Relaxed);
}

#[expect(
    unsafe_code,
    reason = "an allocator is unsafe; everything is passed on as it came"
)]
// SAFETY: all calls go to the system's allocator with the arguments that came in.
unsafe impl GlobalAlloc for Counted {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        more(layout.size());
        // SAFETY: the caller's promises are passed on.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, place: *mut u8, layout: Layout) {
        less(layout.size());
        // SAFETY: the caller's promises are passed on.
        unsafe { System.dealloc(place, layout) }
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        more(layout.size());
        // SAFETY: the caller's promises are passed on.
        unsafe { System.alloc_zeroed(layout) }
    }

    unsafe fn realloc(&self, place: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        // Both may be there at once.
        more(size);
        // SAFETY: the caller's promises are passed on.
        let moved = unsafe { System.realloc(place, layout, size) };
        less(layout.size());
        moved
    }
}

/// Does something and says how much more was allocated in it than before, at the most.
pub fn grown<T>(what: impl FnOnce() -> T) -> (T, usize) {
    let before = NOW.load(Ordering::Relaxed);
    PEAK.store(before, Ordering::Relaxed);
    let done = what();
    (done, PEAK.load(Ordering::Relaxed).saturating_sub(before))
}
