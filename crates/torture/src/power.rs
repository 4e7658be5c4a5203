//! Power cuts, after which only what was synced is there; and disks that run full under the file system.

mod disk;
mod thin;

use std::time::Duration;

use anyhow::{Context, ensure};

use super::audit::audit;
use super::book::{Show, Verdict};
use super::load::{CLIENTS, Client, under_load};
use super::victim::House;
use super::{Outcome, Torment};
use disk::Disk;
use showreport_testkit::Random;

const DISK_BYTES: u64 = 1 << 30;

/// The server flushes and keeps the lake in order all the time, so that a cut meets it at that.
const FLAGS: [&str; 2] = ["--flush-after", "15ms"];
const HURRY: &str = "hurry=return";

/// Cuts after which a data directory has served its time, and between two audits.
const DIRECTORY_CUTS: u64 = 100;
const AUDIT_EVERY: u64 = 5;

/// The longest that a server works before the power goes.
const LIFE_MS_MAX: u64 = 200;

/// How long a server may live on whose disk is gone, while records come in.
const ENDS_WITHIN: Duration = Duration::from_secs(5);

/// What a process ends with that cannot trust its disk.
const DISK_FAILED: i32 = 70;

/// What is left out in a control, of which something must be seen to be lost.
const CONTROLS: [&str; 2] = ["journal-without-sync", "lake-without-sync"];
const CONTROL_CUTS: u64 = 30;

pub(crate) fn run(torment: &Torment) -> anyhow::Result<Outcome> {
    if let Some(missing) = disk::missing_tool() {
        return Ok(Outcome::LeftOut(missing));
    }
    let mut disk = Disk::make(&torment.folder, DISK_BYTES)?;
    if let Err(error) = disk.mount() {
        return Ok(forbidden(&error));
    }
    let mut random = torment.random.clone();
    for control in CONTROLS {
        control_loses(torment, &mut disk, &mut random, control)?;
    }
    let mut total = Tally::default();
    let mut directories = 0;
    while total.cuts < torment.rounds {
        let mut site = Site::build(torment, &mut disk, &mut random, directories)?;
        let cuts = DIRECTORY_CUTS.min(torment.rounds - total.cuts);
        let done = site.torment(cuts);
        done.with_context(|| format!("after {} cuts", total.cuts))?;
        total.cuts += site.tally.cuts;
        total.acknowledged += site.tally.acknowledged;
        total.late += site.tally.late;
        directories += 1;
        println!(
            "{} cuts, {} requests acknowledged",
            total.cuts, total.acknowledged
        );
    }
    Ok(Outcome::Held(format!(
        "{} power cuts on {directories} data directories, {} requests acknowledged ({} more were after \
         the instant of a cut and count as unanswered): 0 lost, 0 refused to start",
        total.cuts, total.acknowledged, total.late
    )))
}

/// As [`run`], but the disk runs full below its file system.
pub(crate) fn run_thin(torment: &Torment) -> anyhow::Result<Outcome> {
    if let Some(missing) = disk::missing_tool() {
        return Ok(Outcome::LeftOut(missing));
    }
    let room = match thin::Room::make(torment.folder.join("room")) {
        Ok(room) => room,
        Err(error) => return Ok(forbidden(&error)),
    };
    thin::run(torment, &room)
}

fn forbidden(error: &anyhow::Error) -> Outcome {
    Outcome::Forbidden(format!(
        "mounting is not permitted here ({error:#}); it takes root, outside of a container"
    ))
}

#[derive(Debug, Default)]
struct Tally {
    cuts: u64,
    acknowledged: u64,
    /// Requests whose answer came only after the power had gone.
    late: u64,
}

/// Leaves a sync out until something is seen to be lost.
fn control_loses(
    torment: &Torment,
    disk: &mut Disk,
    random: &mut Random,
    control: &str,
) -> anyhow::Result<()> {
    let points = format!("{HURRY};{control}=return");
    while disk.cuts < CONTROL_CUTS {
        let mut site = Site::build(torment, disk, random, 0)?;
        // A server that cannot read its data, or start, has lost it.
        let verdict = site.show(&points, AUDIT_EVERY);
        if let Err(loss) = verdict.and_then(|verdict| verdict.demand_clean()) {
            let cuts = std::mem::take(&mut disk.cuts);
            println!(
                "{control}, seen after {cuts} cuts: {:.200}",
                format!("{loss:#}")
            );
            return Ok(());
        }
    }
    anyhow::bail!("{CONTROL_CUTS} cuts with {control} lost nothing: this proves nothing")
}

/// A data directory on a disk whose power is cut.
struct Site<'a> {
    disk: &'a mut Disk,
    random: &'a mut Random,
    house: House,
    shows: u64,
    tally: Tally,
}

impl<'a> Site<'a> {
    fn build(
        torment: &Torment,
        disk: &'a mut Disk,
        random: &'a mut Random,
        number: u64,
    ) -> anyhow::Result<Self> {
        let data_dir = disk.place.join(format!("data-{number}"));
        let house = House::build(&torment.binary, data_dir, torment.folder.join("log"))?;
        disk.sync()?;
        Ok(Self {
            disk,
            random,
            house,
            shows: 0,
            tally: Tally::default(),
        })
    }

    fn torment(&mut self, cuts: u64) -> anyhow::Result<()> {
        while self.tally.cuts < cuts {
            let more = AUDIT_EVERY.min(cuts - self.tally.cuts);
            self.show(HURRY, more)?.demand_clean()?;
        }
        Ok(())
    }

    /// One event, through some cuts; and what is wrong then.
    fn show(&mut self, points: &str, cuts: u64) -> anyhow::Result<Verdict> {
        let event = format!("show-{}", self.shows);
        self.shows += 1;
        let clients = (0..CLIENTS).map(|number| Client::new(number, &event, self.random));
        let mut clients: Vec<Client> = clients.collect();
        for _ in 0..cuts {
            self.live(points, &mut clients)?;
        }
        let told: Vec<_> = clients.into_iter().flat_map(|client| client.told).collect();
        let acknowledged = told.iter().filter(|request| request.acknowledged).count();
        self.tally.acknowledged += acknowledged as u64;
        let mut victim = self.house.start_well(points, &FLAGS)?;
        let verdict = audit(&victim.caller, &Show { event, told });
        victim.kill()?;
        verdict
    }

    fn live(&mut self, points: &str, clients: &mut [Client]) -> anyhow::Result<()> {
        let mut victim = self.house.start_well(points, &FLAGS)?;
        let life = Duration::from_millis(self.random.below(LIFE_MS_MAX));
        let caller = victim.caller.clone();
        let disk = &*self.disk;
        let ended = under_load(clients, &caller, || {
            std::thread::sleep(life);
            let instant = disk.cut_power()?;
            let ended = victim.ends_within(ENDS_WITHIN);
            victim.kill()?;
            anyhow::Ok((instant, ended?))
        });
        let (instant, ended) = ended?;
        let ended = ended.and_then(|status| status.code());
        // The file system drops what is under way piece by piece, and may call a sync a success of
        // which it has dropped a part. A machine without power says nothing any more.
        let late = clients.iter_mut().map(|it| it.forget_since(instant));
        self.tally.late += late.sum::<u64>();
        self.disk.remount()?;
        self.tally.cuts += 1;
        // Who syncs nothing learns of nothing.
        ensure!(
            points != HURRY || ended == Some(DISK_FAILED),
            "a server without a disk went on, or ended with {ended:?}"
        );
        Ok(())
    }
}
