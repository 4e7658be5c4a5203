//! Power cuts, after which a disk holds only what was synced; and disks that run full below their
//! file system.

mod disk;
mod thin;

use std::time::Duration;

use anyhow::{Context, ensure};

use super::audit::audit;
use super::installation::Installation;
use super::load::{SENDERS, Sender, under_load};
use super::scenario::{Control, Outcome, Rounds, Scenario, Setting};
use super::sent::{Show, Verdict};
use disk::Disk;
use showreport_testkit::Random;

const DISK_BYTES: u64 = 1 << 30;

/// The server flushes all the time and `hurry` shortens the pauses of maintenance, so that cuts
/// meet both.
const FLAGS: [&str; 2] = ["--flush-after", "15ms"];
const HURRY: &str = "hurry=return";

/// Cuts after which a fresh data directory takes over, and between two audits.
const DIRECTORY_CUTS: u64 = 100;
const AUDIT_EVERY: u64 = 5;

/// The longest life of a server before the cut.
const LIFE_MS_MAX: u64 = 200;

/// How long a server may go on without its disk, while records come in.
const ENDS_WITHIN: Duration = Duration::from_secs(5);

/// The exit code of a process after a failed sync.
const DISK_FAILED: i32 = 70;

/// Fail points of the control that leave a sync out: something must be lost.
const CONTROLS: [&str; 2] = ["journal-without-sync", "lake-without-sync"];
const CONTROL_CUTS: u64 = 30;

pub(crate) struct Power;

impl Scenario for Power {
    fn name(&self) -> &'static str {
        "power"
    }

    fn about(&self) -> &'static str {
        "a power cut loses nothing that was acknowledged"
    }

    fn rounds(&self) -> Rounds {
        Rounds {
            full: 500,
            small: 12,
        }
    }

    fn run(&self, setting: &Setting) -> anyhow::Result<Outcome> {
        run(setting)
    }
}

pub(crate) struct Thin;

impl Scenario for Thin {
    fn name(&self) -> &'static str {
        "thin"
    }

    fn about(&self) -> &'static str {
        "a disk that runs full below its file system loses nothing"
    }

    fn rounds(&self) -> Rounds {
        Rounds { full: 40, small: 2 }
    }

    fn run(&self, setting: &Setting) -> anyhow::Result<Outcome> {
        run_thin(setting)
    }
}

fn run(setting: &Setting) -> anyhow::Result<Outcome> {
    if let Some(missing) = disk::missing_tool() {
        return Ok(Outcome::LeftOut(missing));
    }
    let mut disk = Disk::make(&setting.folder, DISK_BYTES)?;
    if let Err(error) = disk.mount() {
        return Ok(forbidden(&error));
    }
    let mut random = setting.random.clone();
    let [journal, lake] = CONTROLS;
    let control = control(setting, &mut disk, &mut random, journal)?.and(control(
        setting,
        &mut disk,
        &mut random,
        lake,
    )?);
    let mut total = Tally::default();
    let mut directories = 0;
    while total.cuts < setting.rounds {
        let mut site = Site::build(setting, &mut disk, &mut random, directories)?;
        let cuts = DIRECTORY_CUTS.min(setting.rounds - total.cuts);
        let done = site.cut_again_and_again(cuts);
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
    let held = format!(
        "{} power cuts on {directories} data directories, {} requests acknowledged ({} more were after \
         the instant of a cut and count as unanswered): 0 lost, 0 refused to start",
        total.cuts, total.acknowledged, total.late
    );
    Ok(Outcome::Held(held, control))
}

fn run_thin(setting: &Setting) -> anyhow::Result<Outcome> {
    if let Some(missing) = disk::missing_tool() {
        return Ok(Outcome::LeftOut(missing));
    }
    let room = match thin::Room::make(setting.folder.join("room")) {
        Ok(room) => room,
        Err(error) => return Ok(forbidden(&error)),
    };
    thin::run(setting, &room)
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
    /// Requests acknowledged after the cut.
    late: u64,
}

/// Leaves a sync out and cuts the power until something is lost.
fn control(
    setting: &Setting,
    disk: &mut Disk,
    random: &mut Random,
    fault: &str,
) -> anyhow::Result<Control> {
    let points = format!("{HURRY};{fault}=return");
    while disk.cuts < CONTROL_CUTS {
        let mut site = Site::build(setting, disk, random, 0)?;
        // A server that cannot start or read its data has lost it.
        let verdict = site.show(&points, AUDIT_EVERY);
        if let Err(loss) = verdict.and_then(|verdict| verdict.demand_clean()) {
            let cuts = std::mem::take(&mut disk.cuts);
            println!(
                "{fault}, noticed after {cuts} cuts: {:.200}",
                format!("{loss:#}")
            );
            return Control::noticed(true, fault);
        }
    }
    Control::noticed(false, fault)
}

/// A data directory on a disk without reliable power.
struct Site<'a> {
    disk: &'a mut Disk,
    random: &'a mut Random,
    installation: Installation,
    shows: u64,
    tally: Tally,
}

impl<'a> Site<'a> {
    fn build(
        setting: &Setting,
        disk: &'a mut Disk,
        random: &'a mut Random,
        number: u64,
    ) -> anyhow::Result<Self> {
        let data_dir = disk.place.join(format!("data-{number}"));
        let installation =
            Installation::fresh(&setting.binary, data_dir, setting.folder.join("log"))?;
        disk.sync()?;
        Ok(Self {
            disk,
            random,
            installation,
            shows: 0,
            tally: Tally::default(),
        })
    }

    fn cut_again_and_again(&mut self, cuts: u64) -> anyhow::Result<()> {
        while self.tally.cuts < cuts {
            let more = AUDIT_EVERY.min(cuts - self.tally.cuts);
            self.show(HURRY, more)?.demand_clean()?;
        }
        Ok(())
    }

    /// Sends about one event through some cuts, and audits it.
    fn show(&mut self, points: &str, cuts: u64) -> anyhow::Result<Verdict> {
        let event = format!("show-{}", self.shows);
        self.shows += 1;
        let senders = (0..SENDERS).map(|number| Sender::new(number, &event, self.random));
        let mut senders: Vec<Sender> = senders.collect();
        for _ in 0..cuts {
            self.live(points, &mut senders)?;
        }
        let requests: Vec<_> = senders.into_iter().flat_map(|it| it.requests).collect();
        let acknowledged = requests
            .iter()
            .filter(|request| request.acknowledged)
            .count();
        self.tally.acknowledged += acknowledged as u64;
        let mut server = self.installation.start_well(points, &FLAGS)?;
        let verdict = audit(&server.client, &Show { event, requests });
        server.kill()?;
        verdict
    }

    fn live(&mut self, points: &str, senders: &mut [Sender]) -> anyhow::Result<()> {
        let mut server = self.installation.start_well(points, &FLAGS)?;
        let life = Duration::from_millis(self.random.u64(..LIFE_MS_MAX));
        let client = server.client.clone();
        let disk = &*self.disk;
        let ended = under_load(senders, &client, || {
            std::thread::sleep(life);
            let instant = disk.cut_power()?;
            let ended = server.ends_within(ENDS_WITHIN);
            server.kill()?;
            anyhow::Ok((instant, ended?))
        });
        let (instant, ended) = ended?;
        let ended = ended.and_then(|status| status.code());
        // The file system drops pending writes one by one, and may report a sync as a success of
        // which it has dropped a part. A machine without power acknowledges nothing.
        let late = senders.iter_mut().map(|it| it.forget_since(instant));
        self.tally.late += late.sum::<u64>();
        self.disk.remount()?;
        self.tally.cuts += 1;
        // A server that leaves out its syncs does not notice.
        ensure!(
            points != HURRY || ended == Some(DISK_FAILED),
            "a server without a disk went on, or ended with {ended:?}"
        );
        Ok(())
    }
}
