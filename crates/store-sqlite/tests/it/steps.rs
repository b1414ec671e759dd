//! The steps of random histories.

use dogwatch_core::job::RunOutcome;
use proptest::prelude::*;

/// A step of a history. Numbers choose among what is there, and wrap around.
#[derive(Clone, Debug)]
pub(crate) enum Step {
    Submit {
        priority: i32,
        delay_ms: u64,
        deadline_ms: u64,
        attempts: u32,
        approved: bool,
    },
    Claim {
        elsewhere: bool,
        deny: bool,
        new_policy: bool,
    },
    Start(usize),
    Resume(usize),
    Close(usize, RunOutcome),
    Release(usize),
    Revoke(usize),
    ExpireLease(usize),
    Park(usize, u64),
    ParkForApproval(usize),
    Request(usize),
    Decide(usize, bool),
    ExpireApproval(usize),
    MakeDue(usize),
    ExpireJob(usize),
    Message(usize),
    Cancel(usize),
    Retry(usize),
    CleanUp(usize),
    Lines(usize, usize),
    Token,
    RevokeToken(usize),
    Wait(u64),
    SetBack(u64),
    Reopen,
}

/// Any step, with those often that lead on.
pub(crate) fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        5 => submit(),
        20 => running(),
        12 => waiting(),
        7 => around(),
    ]
}

fn submit() -> impl Strategy<Value = Step> {
    let delay = || prop_oneof![Just(0), 0..9000_u64];
    (
        -2..3_i32,
        delay(),
        delay(),
        1..4_u32,
        prop::bool::weighted(0.3),
    )
        .prop_map(
            |(priority, delay_ms, deadline_ms, attempts, approved)| Step::Submit {
                priority,
                delay_ms,
                deadline_ms,
                attempts,
                approved,
            },
        )
}

/// What runners do.
fn running() -> impl Strategy<Value = Step> {
    let outcome = prop_oneof![
        Just(RunOutcome::Succeeded),
        Just(RunOutcome::Failed),
        Just(RunOutcome::Blocked),
        Just(RunOutcome::Stopped),
        Just(RunOutcome::TimedOut),
    ];
    let rarely = || prop::bool::weighted(0.15);
    prop_oneof![
        7 => (rarely(), rarely(), rarely())
            .prop_map(|(elsewhere, deny, new_policy)| Step::Claim { elsewhere, deny, new_policy }),
        6 => (0..8_usize).prop_map(Step::Start),
        2 => (0..8_usize).prop_map(Step::Resume),
        4 => (0..8_usize, outcome).prop_map(|(lease, outcome)| Step::Close(lease, outcome)),
        1 => (0..8_usize).prop_map(Step::Release),
        1 => (0..8_usize).prop_map(Step::Message),
        1 => (0..8_usize).prop_map(Step::CleanUp),
        4 => (0..8_usize, 0..4_usize).prop_map(|(run, lines)| Step::Lines(run, lines)),
    ]
}

/// Who asks, who waits, and who decides.
fn waiting() -> impl Strategy<Value = Step> {
    prop_oneof![
        2 => (0..8_usize, 0..9000_u64).prop_map(|(run, ms)| Step::Park(run, ms)),
        2 => (0..8_usize).prop_map(Step::ParkForApproval),
        2 => (0..8_usize).prop_map(Step::Request),
        4 => (0..8_usize, prop::bool::weighted(0.8)).prop_map(|(number, yes)| Step::Decide(number, yes)),
        1 => (0..8_usize).prop_map(Step::ExpireApproval),
        3 => (0..8_usize).prop_map(Step::MakeDue),
        1 => (0..8_usize).prop_map(Step::ExpireJob),
        1 => (0..8_usize).prop_map(Step::Cancel),
        1 => (0..8_usize).prop_map(Step::Retry),
    ]
}

/// What happens around them.
fn around() -> impl Strategy<Value = Step> {
    prop_oneof![
        1 => (0..8_usize).prop_map(Step::Revoke),
        1 => (0..8_usize).prop_map(Step::ExpireLease),
        1 => Just(Step::Token),
        1 => (0..8_usize).prop_map(Step::RevokeToken),
        3 => (1..8000_u64).prop_map(Step::Wait),
        1 => (1..8000_u64).prop_map(Step::SetBack),
        1 => Just(Step::Reopen),
    ]
}
