//! A thinly provisioned disk: there is less room than its file system believes, so the first call
//! that fails is a sync.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use anyhow::{Context, ensure};

use super::disk::{Disk, unmount};
use super::{DISK_BYTES, DISK_FAILED, FLAGS, HURRY};
use crate::audit::audit;
use crate::installation::Installation;
use crate::load::{SENDERS, Sender, under_load};
use crate::scenario::{Control, Outcome, Setting};
use crate::sent::Show;
use showreport_testkit::output;

/// More than a run writes.
const ROOM_KIB: u64 = 400 << 10;

/// The room that is left when it is taken away.
const LEFT_KIB_MAX: u64 = 1_024;

/// The longest life of a server before that.
const LIFE_MS_MAX: u64 = 200;

/// How long a server may take to fill that room and to end.
const ENDS_WITHIN: Duration = Duration::from_mins(1);

/// A tmpfs cannot be made smaller than what it holds, which grows between looking and resizing.
const ATTEMPTS_MAX: u32 = 20;

pub(super) fn run(setting: &Setting, room: &Room) -> anyhow::Result<Outcome> {
    let mut random = setting.random.clone();
    let disk = Disk::make(&room.place, DISK_BYTES)?;
    disk.mount()?;
    disk.write_page_by_page()?;
    // The log is on the same disk: that it cannot be written must not block the server.
    let (data_dir, log) = (disk.place.join("data"), disk.place.join("log"));
    let installation = Installation::fresh(&setting.binary, data_dir, log)?;
    disk.sync()?;
    let mut acknowledged = 0;
    let mut control = None;
    for round in 0..setting.rounds {
        let event = format!("show-{round}");
        let mut senders: Vec<Sender> = (0..SENDERS)
            .map(|number| Sender::new(number, &event, &mut random))
            .collect();
        let mut server = installation.start_well(HURRY, &FLAGS)?;
        let life = Duration::from_millis(random.u64(..LIFE_MS_MAX));
        let left_kib = random.u64(..LEFT_KIB_MAX);
        let client = server.client.clone();
        let ended = under_load(&mut senders, &client, || {
            std::thread::sleep(life);
            let ended = room
                .leave(left_kib)
                .and_then(|()| server.ends_within(ENDS_WITHIN));
            server.kill()?;
            ended
        });
        let ended = ended?.and_then(|status| status.code());
        room.restore()?;
        disk.repair()?;
        disk.write_page_by_page()?;
        let noticed = ended == Some(DISK_FAILED);
        let full = Control::noticed(noticed, "a disk that is full below its file system")
            .with_context(|| format!("round {round}: the server ended with {ended:?}"))?;
        control.get_or_insert(full);
        let requests: Vec<_> = senders.into_iter().flat_map(|it| it.requests).collect();
        acknowledged += requests
            .iter()
            .filter(|request| request.acknowledged)
            .count() as u64;
        let mut server = installation.start_well(HURRY, &FLAGS)?;
        let verdict = audit(&server.client, &Show { event, requests })?;
        server.kill()?;
        verdict
            .demand_clean()
            .with_context(|| format!("round {round}"))?;
    }
    let held = format!(
        "{} disks ran full below, {acknowledged} requests acknowledged: each time the process ended, \
         0 lost",
        setting.rounds
    );
    let control = control.context("no disk ran full")?;
    Ok(Outcome::Held(held, control))
}

/// A tmpfs of a variable size; unmounted when dropped.
pub(super) struct Room {
    place: PathBuf,
}

impl Room {
    pub(super) fn make(place: PathBuf) -> anyhow::Result<Self> {
        unmount(&place.join("disk")).ok();
        unmount(&place).ok();
        std::fs::create_dir_all(&place)?;
        let size = format!("size={ROOM_KIB}k");
        let mut mount = Command::new("mount");
        output(
            mount
                .args(["-t", "tmpfs", "-o", &size, "tmpfs"])
                .arg(&place),
        )?;
        Ok(Self { place })
    }

    /// Takes away all free room but this much.
    fn leave(&self, kib: u64) -> anyhow::Result<()> {
        let mut attempts = 1;
        while let Err(error) = resize(&self.place, self.used_kib()? + kib) {
            ensure!(attempts < ATTEMPTS_MAX, error);
            attempts += 1;
        }
        Ok(())
    }

    fn restore(&self) -> anyhow::Result<()> {
        resize(&self.place, ROOM_KIB)
    }

    fn used_kib(&self) -> anyhow::Result<u64> {
        let mut df = Command::new("df");
        let printed = output(df.args(["-k", "--output=used"]).arg(&self.place))?;
        let used = printed.lines().last().context("df printed nothing")?;
        used.trim().parse().context("read what df printed")
    }
}

fn resize(place: &Path, kib: u64) -> anyhow::Result<()> {
    let size = format!("remount,size={kib}k");
    output(Command::new("mount").args(["-o", &size]).arg(place)).map(drop)
}

impl Drop for Room {
    fn drop(&mut self) {
        unmount(&self.place).ok();
    }
}
