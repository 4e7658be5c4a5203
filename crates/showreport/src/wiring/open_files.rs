//! The limit of open files of this process.

/// The limit, if the system has one. Connections count as files.
pub(super) fn max() -> Option<usize> {
    read(&std::fs::read_to_string("/proc/self/limits").ok()?)
}

fn read(limits: &str) -> Option<usize> {
    let mut lines = limits.lines();
    let bounds = lines.find_map(|line| line.strip_prefix("Max open files"))?;
    // The first number is in force; the process could raise it to the second.
    bounds.split_whitespace().next()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_limit_in_force_is_read() {
        let limits = "Limit                     Soft Limit           Hard Limit           Units\n\
             Max processes             94283                94283                processes\n\
             Max open files            1024                 524288               files\n";
        assert_eq!(read(limits), Some(1024));
        assert_eq!(read("Max open files  unlimited  unlimited  files"), None);
        assert_eq!(read(""), None);
    }
}
