//! `/collect`, what is below it, and Segment's paths: read the body, take a permit, decode, append.
//!
//! # Limits
//!
//! Two mechanisms bound what is collected. `rates` counts the records a minute of an organisation
//! and of a token; more are refused with 429. `permits::FairPermits` bounds what is in progress at
//! one time, and grants permits in turn by organisation; what does not get one in time is refused
//! with 503. Each resource that runs out at a load of its own has permits of its own:
//!
//! - `listener::connections`, a permit a connection, by address; no wait. Without it a client that
//!   opens connections and sends nothing takes all of them.
//! - `App::bodies`, a permit a byte of a body that arrives, and then of its records; no wait.
//!   Without it many bodies at once take all memory.
//! - `App::keyless_bodies`, a permit a byte of a body that has its token inside, until it is found;
//!   no wait. Without it clients without a token could take all memory.
//! - `App::collecting`, a permit for each 4 KiB of a body up to 256 KiB; waits 100 ms. Without it
//!   all that is accepted shares the threads, and every request waits for the others at each step.
//! - `App::small_bodies`, a permit a thread that decodes a body up to 256 KiB; waits 5 s. Without
//!   it decoding takes the processors from the threads that serve.
//! - `App::unpacking`, the same for larger bodies. With one limit for both, large bodies would hold
//!   up small ones.
//! - `App::windows`, one permit for a window of 16 MiB (zstd, brotli); waits 5 s. Without it bodies
//!   that unpack to too much take 16 MiB each before they are refused.
//! - `App::large_bodies`, a permit a byte of a larger body and of its records; waits 5 s. Without
//!   it a megabyte that unpacks to a hundred takes all memory.
//! - `router::unread`, a permit a refused body that is read to its end; waits 5 s. Without it the
//!   accepted requests wait for the reading of all refused bodies.
//!
//! A single limit over bytes cannot replace them. 2 MiB of small bodies in progress fill the
//! commits of the journal, and more only wait longer, while one large body takes 96 MiB. And 16
//! bombs of one kind together may take 32 MiB, which is two windows.
//!
//! `torture --small bombs overload slow` was run with an implementation for each limit, and with
//! the common one (development builds, two busy processors). 16 bombs of one kind took 16 and
//! 18 MiB, four times the possible load 255 and 266 MiB, 650 slow clients 21 and 20 MiB; no
//! acknowledged record was lost.
//!
//! A permit of `collecting` is given back before the request waits for another permit, and while
//! its body arrives slowly. So slow clients and large bodies hold up no others.

mod decompress;
mod written;
mod decode;
mod store;
mod handler;
mod cmcd;
mod segment;

pub use decompress::unpack_file;

pub(crate) use cmcd::{
    __path_get_cmcd, __path_get_cmcd_of_event, __path_post_cmcd, __path_post_cmcd_of_event,
    get_cmcd, get_cmcd_of_event, post_cmcd, post_cmcd_of_event,
};
#[cfg(any(test, fuzzing))]
pub(crate) use decompress::{Encoding, Window, unpack};
pub(crate) use handler::{__path_collect, collect};
pub(crate) use segment::{
    __path_segment_batch, __path_segment_track, segment_batch, segment_track,
};
