//! Heads: the version of each table of the lake that counts.

use showreport_model::report::Heads;

use crate::error::Error;

/// Moves these heads, never backwards: facts that were in a report stay in it.
pub(crate) fn advance(present: &mut Heads, heads: &Heads) -> Result<(), Error> {
    for (&table, &version) in heads {
        if present
            .get(&table)
            .is_some_and(|&present| version < present)
        {
            return Err(Error::HeadMovedBack { table, version });
        }
    }
    present.extend(heads);
    Ok(())
}
