//! Showreport from the outside: stories through the real router, an oracle
//! that says what every report must be, random streams, real votes, the
//! command line, and the shape of the code itself.

mod oracle;
mod harness;
mod streams;
mod laws;
mod stories;
mod collecting;
mod refusing_records;
mod deleting_messages;
mod signing_in;
mod isolation;
mod ordering;
mod listing;
mod downloading;
mod conditions;
mod formats;
mod takeover;
mod failing;
mod large;
mod together;
mod describing;
mod addresses;
mod wording;
mod real_votes;
mod beside_reports;
mod bulk;
mod bulk_wire;
mod bulk_files;
mod bulk_life;
mod bulk_figures;
mod bulk_law;
mod sharing;
mod vacuuming;
mod maintaining;
mod filling;
mod wrong_clock;
mod command_line;
mod first_hour;
mod importing;
mod command_flags;
mod hardening;
mod rotten;
mod killing;
mod stopping;
mod architecture;
