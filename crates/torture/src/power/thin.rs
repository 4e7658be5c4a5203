//! A disk that promises more room than there is below it: its file system sees no end coming, and the
//! first that fails is a sync.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use anyhow::{Context, ensure};

use super::disk::{Disk, unmount};
use super::{DISK_BYTES, DISK_FAILED, FLAGS, HURRY};
use crate::audit::audit;
use crate::book::Show;
use crate::load::{CLIENTS, Client, under_load};
use crate::victim::House;
use crate::{Outcome, Torment};
use showreport_testkit::output;

/// More than a run writes.
const ROOM_KIB: u64 = 400 << 10;

/// What is left below when the room is taken away.
const LEFT_KIB_MAX: u64 = 1_024;

/// How long a server works before that.
const LIFE_MS_MAX: u64 = 200;

/// How long it may take to use up what is left, and to notice.
const ENDS_WITHIN: Duration = Duration::from_mins(1);

/// The room cannot be made smaller than what is used, of which there may be more since we looked.
const ATTEMPTS_MAX: u32 = 20;

pub(super) fn run(torment: &Torment, room: &Room) -> anyhow::Result<Outcome> {
    let mut random = torment.random.clone();
    let disk = Disk::make(&room.place, DISK_BYTES)?;
    disk.mount()?;
    disk.write_page_by_page()?;
    // The log lies on the same disk, as it would: that it cannot be written must hold up nothing.
    let (data_dir, log) = (disk.place.join("data"), disk.place.join("log"));
    let house = House::build(&torment.binary, data_dir, log)?;
    disk.sync()?;
    let mut acknowledged = 0;
    for round in 0..torment.rounds {
        let event = format!("show-{round}");
        let mut clients: Vec<Client> = (0..CLIENTS)
            .map(|number| Client::new(number, &event, &mut random))
            .collect();
        let mut victim = house.start_well(HURRY, &FLAGS)?;
        let life = Duration::from_millis(random.below(LIFE_MS_MAX));
        let left_kib = random.below(LEFT_KIB_MAX);
        let caller = victim.caller.clone();
        let ended = under_load(&mut clients, &caller, || {
            std::thread::sleep(life);
            let ended = room
                .leave(left_kib)
                .and_then(|()| victim.ends_within(ENDS_WITHIN));
            victim.kill()?;
            ended
        });
        let ended = ended?.and_then(|status| status.code());
        room.restore()?;
        disk.repair()?;
        disk.write_page_by_page()?;
        ensure!(
            ended == Some(DISK_FAILED),
            "round {round}: a server whose disk ran full below went on, or ended with {ended:?}"
        );
        let told: Vec<_> = clients.into_iter().flat_map(|client| client.told).collect();
        acknowledged += told.iter().filter(|request| request.acknowledged).count() as u64;
        let mut victim = house.start_well(HURRY, &FLAGS)?;
        let verdict = audit(&victim.caller, &Show { event, told })?;
        victim.kill()?;
        verdict
            .demand_clean()
            .with_context(|| format!("round {round}"))?;
    }
    Ok(Outcome::Held(format!(
        "{} disks ran full below, {acknowledged} requests acknowledged: each time the process ended, \
         0 lost",
        torment.rounds
    )))
}

/// A file system in memory whose room can be given and taken; unmounted when dropped.
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

    /// Takes away all room but so much.
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
        let said = output(df.args(["-k", "--output=used"]).arg(&self.place))?;
        let used = said.lines().last().context("df said nothing")?;
        used.trim().parse().context("read what df said")
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
