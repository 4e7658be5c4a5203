//! The system's allocator, told to give large blocks back.
//!
//! glibc takes a large block from the system and returns it when it is freed;
//! but from the first one it learns to keep the next, up to 32 MiB each, in
//! case they are wanted again. A server would for ever hold what its largest
//! report took, several times over. The setting that forbids the learning is
//! read from the environment before `main` runs, so the process begins anew
//! with it: the same process, by its number, its files and its arguments.

/// Bytes from which a block is large.
#[cfg(all(target_os = "linux", target_env = "gnu"))]
const LARGE_BYTES: &str = "1048576";

/// Begins the process anew with the setting, unless somebody has chosen one.
///
/// Where that is not possible it goes on as it is: it needs more memory then.
#[cfg(all(target_os = "linux", target_env = "gnu"))]
pub fn give_large_blocks_back() {
    use std::os::unix::process::CommandExt;

    // malloc's own names (mallopt(3)).
    const THRESHOLD: &str = "MALLOC_MMAP_THRESHOLD_";
    const TRIM: &str = "MALLOC_TRIM_THRESHOLD_";
    if std::env::var_os(THRESHOLD).is_some() {
        return;
    }
    let Ok(program) = std::env::current_exe() else {
        return;
    };
    let mut arguments = std::env::args_os();
    let mut command = std::process::Command::new(program);
    if let Some(name) = arguments.next() {
        command.arg0(name);
    }
    // It returns only if it fails.
    let _ = command
        .args(arguments)
        .env(THRESHOLD, LARGE_BYTES)
        .env(TRIM, LARGE_BYTES)
        .exec();
}

/// Other allocators need no telling.
#[cfg(not(all(target_os = "linux", target_env = "gnu")))]
pub fn give_large_blocks_back() {}
