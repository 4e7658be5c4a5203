//! The limits of signing in with a password: how often a wrong one may be tried, and how many are
//! checked at one time.

use std::net::IpAddr;
use std::time::Duration;

use sha2::{Digest, Sha256};
use showreport_model::Timestamp;

use crate::attempts::Attempts;
use crate::error::ApiError;
use crate::permits::{Bounds, FairPermits, Permit};

/// Wrong passwords of one e-mail address from one client.
const WRONG_MAX: usize = 5;

/// Wrong passwords from one client, whatever the e-mail address. A whole office may share one.
const WRONG_OF_CLIENT_MAX: usize = 50;

/// Passwords that are checked at one time. Each check takes a processor and 19 MiB.
const CHECKS: Bounds = Bounds {
    all_max: 2,
    each_max: 1,
    wait: Duration::from_secs(5),
};

/// The limits. They are of this process, and end with it.
#[derive(Debug)]
pub(crate) struct SignIns {
    wrong: Attempts<(IpAddr, [u8; 32])>,
    wrong_of_client: Attempts<IpAddr>,
    checks: FairPermits<IpAddr>,
}

/// A password that is being tried.
#[derive(Debug)]
pub(crate) struct Attempt {
    key: (IpAddr, [u8; 32]),
    _permit: Permit<IpAddr>,
}

/// Why no password may be tried.
#[derive(Debug)]
pub(crate) enum NoAttempt {
    /// There were too many wrong ones.
    Exceeded {
        wait_ms: i64,
    },
    Refused(ApiError),
}

impl SignIns {
    pub(crate) fn new() -> Self {
        Self {
            wrong: Attempts::new(WRONG_MAX),
            wrong_of_client: Attempts::new(WRONG_OF_CLIENT_MAX),
            checks: FairPermits::new(CHECKS, "too many passwords are being checked"),
        }
    }

    /// Counts an attempt, as a wrong one until it [`succeeds`](Self::succeeded), and waits for a
    /// permit to check the password. `client` is the client's network, and `name` the e-mail
    /// address, of which only a hash is kept.
    pub(crate) async fn begin(
        &self,
        client: IpAddr,
        name: &str,
        now: Timestamp,
    ) -> Result<Attempt, NoAttempt> {
        let key = (client, Sha256::digest(name).into());
        let exceeded = |wait_ms| NoAttempt::Exceeded { wait_ms };
        self.wrong_of_client.begin(&client, now).map_err(exceeded)?;
        if let Err(wait_ms) = self.wrong.begin(&key, now) {
            self.wrong_of_client.take_back(&client);
            return Err(exceeded(wait_ms));
        }
        match self.checks.acquire(&client).await {
            Ok(permit) => Ok(Attempt {
                key,
                _permit: permit,
            }),
            Err(error) => {
                self.wrong.take_back(&key);
                self.wrong_of_client.take_back(&client);
                Err(NoAttempt::Refused(error))
            }
        }
    }

    /// The password was right.
    pub(crate) fn succeeded(&self, attempt: &Attempt) {
        self.wrong.forget(&attempt.key);
        self.wrong_of_client.take_back(&attempt.key.0);
    }
}
