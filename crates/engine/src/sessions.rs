//! Where a session is, as the runners tell it.

use dogwatch_core::ids::SessionId;
use dogwatch_core::queue::Offer;

/// Where a session stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum SessionStanding {
    /// Some machine has it and takes work for it.
    Active,
    /// Every machine that has it put it away.
    Archived,
    /// No machine that is known has it.
    Nowhere,
}

/// Where a session stands, given what the runners have.
pub(crate) fn standing(offers: &[Offer], session: SessionId) -> SessionStanding {
    let mut own = offers
        .iter()
        .flat_map(|offer| &offer.sessions)
        .filter(|offered| offered.id == session)
        .peekable();
    if own.peek().is_none() {
        SessionStanding::Nowhere
    } else if own.all(|offered| offered.archived) {
        SessionStanding::Archived
    } else {
        SessionStanding::Active
    }
}
