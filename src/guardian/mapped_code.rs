//! Gives back the memory of code that an app at rest does not need, and memory that is free.
//!
//! One of the three files that may contain `unsafe`. The others are `spawn` and `sys`.
#![expect(unsafe_code, reason = "there is no safe wrapper for the list of loaded objects, madvise and the allocator")]

use nix::unistd::{SysconfVar, sysconf};

/// Unmaps the code and constants of this program and its libraries. The next use of a page maps it again, from the page
/// cache or the file. Only memory that was mapped read-only is affected, so nothing that the program has written is lost.
pub fn unmap_unchanged_pages() {
    // A debugger has set its breakpoints in these pages.
    if is_traced() {
        return;
    }
    // SAFETY: the function has the type that is called, and does not keep what it gets.
    unsafe { libc::dl_iterate_phdr(Some(unmap_object), std::ptr::null_mut()) };
}

/// Lets the allocator keep a mebibyte of free memory. By default it gives back all but 128 KiB with nearly each request, and
/// asks for it again.
pub fn keep_free_memory() {
    // SAFETY: this changes one setting of the allocator, under its locks.
    #[cfg(target_env = "gnu")]
    unsafe {
        libc::mallopt(libc::M_TRIM_THRESHOLD, 1 << 20);
    }
}

/// Gives the system the memory that the allocator keeps for later.
pub fn unmap_free_memory() {
    // SAFETY: this touches only memory that is free, under the locks of the allocator.
    #[cfg(target_env = "gnu")]
    unsafe {
        libc::malloc_trim(0);
    }
}

unsafe extern "C" fn unmap_object(object: *mut libc::dl_phdr_info, _: usize, _: *mut libc::c_void) -> libc::c_int {
    // SAFETY: the loader passes a valid object and the number of its segments.
    let (base, segments) = unsafe {
        let object = &*object;
        (object.dlpi_addr, std::slice::from_raw_parts(object.dlpi_phdr, object.dlpi_phnum.into()))
    };
    for segment in segments {
        // Relocated constants are in segments that were writable.
        if segment.p_type != libc::PT_LOAD || segment.p_flags & libc::PF_W != 0 {
            continue;
        }
        let [start, bytes] = [base + segment.p_vaddr, segment.p_memsz].map(|of| usize::try_from(of).unwrap_or(0));
        let before = start % page_bytes();
        // SAFETY: this maps a file and was never written, so the next access finds the same bytes.
        let _ = unsafe { libc::madvise((start - before) as *mut _, bytes + before, libc::MADV_DONTNEED) };
    }
    0
}

/// The size of a page of memory.
#[must_use]
pub fn page_bytes() -> usize {
    sysconf(SysconfVar::PAGE_SIZE).ok().flatten().and_then(|bytes| usize::try_from(bytes).ok()).unwrap_or(4096)
}

fn is_traced() -> bool {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    status.lines().any(|line| line.strip_prefix("TracerPid:").is_some_and(|pid| pid.trim() != "0"))
}
