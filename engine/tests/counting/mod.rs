//! An allocator that counts what each thread holds.

#![expect(unsafe_code, reason = "only an allocator sees all allocations")]

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;

#[global_allocator]
static ALLOCATOR: Counting = Counting;

thread_local! {
    static HELD: Cell<usize> = const { Cell::new(0) };
}

/// Bytes that this thread has allocated and not given back. Small blocks count in the steps of 16 bytes in which allocators
/// give them out.
pub(crate) fn held() -> usize {
    HELD.get()
}

struct Counting;

fn count(allocated: usize, freed: usize) {
    let change = |held: &Cell<usize>| {
        let after = held.get().wrapping_add(allocated.next_multiple_of(16));
        held.set(after.wrapping_sub(freed.next_multiple_of(16)));
    };
    // A thread that ends frees some more when its counter is gone.
    let _ = HELD.try_with(change);
}

// SAFETY: all work is done by the system's allocator; counting allocates nothing.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        count(layout.size(), 0);
        // SAFETY: the caller keeps the contract of this very function.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, block: *mut u8, layout: Layout) {
        count(0, layout.size());
        // SAFETY: as above.
        unsafe { System.dealloc(block, layout) }
    }

    unsafe fn realloc(&self, block: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        count(size, layout.size());
        // SAFETY: as above.
        unsafe { System.realloc(block, layout, size) }
    }
}
