//! A disk with a power switch: an ext4 file system in a file.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, SystemTime};

use anyhow::{Context, bail};

use showreport_testkit::output;

/// `EXT4_IOC_SHUTDOWN` with the flag that drops even the file system's journal in memory. Prints
/// the nanoseconds since 1970 just before.
const CUT: &str = "import fcntl, os, struct, sys, time
disk = os.open(sys.argv[1], os.O_RDONLY)
print(time.time_ns())
fcntl.ioctl(disk, 0x8004587D, struct.pack('I', 2))";

/// Another process may have the directory open at the moment of an attempt.
const UNMOUNT_ATTEMPTS_MAX: u32 = 50;

/// The program that is missing on this machine, and how to get it.
pub(super) fn missing_tool() -> Option<String> {
    let tools = [
        ("mkfs.ext4", "-V", "e2fsprogs"),
        ("python3", "-V", "python3"),
    ];
    let missing = tools.into_iter().find(|(tool, version, _)| {
        let mut command = Command::new(tool);
        let command = command
            .arg(version)
            .stdout(Stdio::null())
            .stderr(Stdio::null());
        !command.status().is_ok_and(|status| status.success())
    });
    missing.map(|(tool, _, package)| {
        format!("{tool} is missing; on Debian, `apt-get install {package}`")
    })
}

/// An ext4 file system in a file, mounted or not; unmounted when dropped.
pub(super) struct Disk {
    image: PathBuf,
    /// Where it is mounted.
    pub(super) place: PathBuf,
    /// How often its power was cut.
    pub(super) cuts: u64,
}

impl Disk {
    /// Makes a sparse file in `folder`, which takes room only for what is written.
    pub(super) fn make(folder: &Path, bytes: u64) -> anyhow::Result<Self> {
        let (image, place) = (folder.join("image"), folder.join("disk"));
        unmount(&place).ok();
        fs::create_dir_all(&place)?;
        File::create(&image)
            .and_then(|file| file.set_len(bytes))
            .with_context(|| format!("make {}", image.display()))?;
        // Few inodes and a small journal: most of the disk is never used.
        let mut make = Command::new("mkfs.ext4");
        output(
            make.args(["-q", "-F", "-N", "65536", "-J", "size=4"])
                .arg(&image),
        )?;
        Ok(Self {
            image,
            place,
            cuts: 0,
        })
    }

    pub(super) fn mount(&self) -> anyhow::Result<()> {
        let mut mount = Command::new("mount");
        output(mount.args(["-o", "loop"]).arg(&self.image).arg(&self.place)).map(drop)
    }

    /// Makes everything on the disk durable.
    pub(super) fn sync(&self) -> anyhow::Result<()> {
        output(Command::new("sync").arg("-f").arg(&self.place)).map(drop)
    }

    /// Cuts the power. What is written after the instant that is returned may be lost.
    pub(super) fn cut_power(&self) -> anyhow::Result<SystemTime> {
        let printed = output(Command::new("python3").args(["-c", CUT]).arg(&self.place))?;
        let nanoseconds = printed.parse().context("read when the power was cut")?;
        Ok(SystemTime::UNIX_EPOCH + Duration::from_nanos(nanoseconds))
    }

    /// Mounts the disk again after a cut, with what had reached it.
    pub(super) fn remount(&mut self) -> anyhow::Result<()> {
        self.cuts += 1;
        unmount(&self.place)?;
        self.mount()
    }

    /// The same for a disk that failed, with a check of the file system first.
    pub(super) fn repair(&self) -> anyhow::Result<()> {
        unmount(&self.place)?;
        let status = Command::new("e2fsck")
            .args(["-p"])
            .arg(&self.image)
            .stdout(Stdio::null())
            .status()?;
        // 1 means that errors were found and corrected.
        if !matches!(status.code(), Some(0 | 1)) {
            bail!("e2fsck ended with {status}");
        }
        self.mount()
    }

    /// Lets each page be written by a request of its own.
    ///
    /// The loop device reports larger requests as a success of which only a part had room.
    pub(super) fn write_page_by_page(&self) -> anyhow::Result<()> {
        let mut find = Command::new("findmnt");
        let device = output(find.args(["-n", "-o", "SOURCE"]).arg(&self.place))?;
        let name = device.trim_start_matches("/dev/");
        let bound = format!("/sys/block/{name}/queue/max_sectors_kb");
        fs::write(&bound, "4").with_context(|| format!("write {bound}"))
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        unmount(&self.place).ok();
    }
}

/// Unmounts a file system.
pub(super) fn unmount(place: &Path) -> anyhow::Result<()> {
    let mut attempts = 1;
    loop {
        match output(Command::new("umount").arg(place)) {
            Ok(_) => return Ok(()),
            Err(error) if attempts == UNMOUNT_ATTEMPTS_MAX => return Err(error),
            Err(error) if error.to_string().contains("busy") => attempts += 1,
            Err(error) => return Err(error),
        }
        std::thread::sleep(Duration::from_millis(20));
    }
}
