//! What a running process has needed so far, as Linux keeps it.

use std::time::Duration;

/// The processor time of the threads that a process has now, exact to the nanosecond. A thread that ended
/// has taken its time with it.
pub fn processor_time(pid: u32) -> Duration {
    let threads = std::fs::read_dir(format!("/proc/{pid}/task"));
    let threads = threads.unwrap_or_else(|error| panic!("process {pid}: {error}"));
    let nanoseconds = threads.flatten().map(|thread| {
        // A thread that has just ended has no file any more.
        let stat = std::fs::read_to_string(thread.path().join("schedstat")).unwrap_or_default();
        let running = stat.split_whitespace().next();
        running.and_then(|text| text.parse().ok()).unwrap_or(0)
    });
    let sum = nanoseconds.sum();
    assert!(sum > 0, "this kernel keeps no processor time per thread");
    Duration::from_nanos(sum)
}

/// A figure of /proc/PID/status in KiB, such as `VmRSS` (now) or `VmHWM` (at most so far); 0 if it is not
/// there.
pub fn memory_kib(pid: u32, name: &str) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
    let line = status.lines().find(|line| line.starts_with(name));
    let kib = line.and_then(|line| line.split_whitespace().nth(1)?.parse().ok());
    kib.unwrap_or(0)
}

/// Has `VmHWM` begin again at what the process takes now.
pub fn forget_peak(pid: u32) {
    let path = format!("/proc/{pid}/clear_refs");
    std::fs::write(&path, "5").unwrap_or_else(|error| panic!("{path}: {error}"));
}
