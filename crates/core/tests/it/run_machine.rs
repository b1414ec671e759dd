//! A run as a machine: random facts against the pure decision, and the policy of the turn loop.

use dogwatch_core::Sha256Digest;
use dogwatch_core::Timestamp;
use dogwatch_core::event::Epoch;
use dogwatch_core::job::{Assurance, ParkReason, RunOutcome, StartFrom};
use dogwatch_core::limits::{Limits, ModelClass};
use dogwatch_core::run::{
    GateFinished, GateResult, Note, Phase, RunEnded, RunEvent, RunParked, RunRefusal, RunResumed,
    RunStarted, RunState, SnapshotTaken, Step, TurnBegun, TurnEnded, after_gates, after_turn,
    before_turn, decide,
};
use dogwatch_core::turn::{Exit, MissingResponse, ResponseReading, TurnOutcome, TurnStatus, judge};
use proptest::prelude::*;

fn started() -> RunEvent {
    RunEvent::Started(RunStarted {
        attempt: 1,
        contract: Sha256Digest::of(b"c"),
        profile: Sha256Digest::of(b"p"),
        base: "0".repeat(40),
        agent: "a".into(),
        driver: "exec".into(),
        session_id: None,
        continues: None,
        start_from: StartFrom::Base,
        surface: "unattended_runtime".into(),
    })
}

fn begun(turn: u32) -> RunEvent {
    RunEvent::TurnBegun(TurnBegun {
        turn,
        task: "t".into(),
        request: Sha256Digest::of(b"r"),
    })
}

fn ended_turn(turn: u32, status: TurnStatus) -> RunEvent {
    RunEvent::TurnEnded(TurnEnded {
        turn,
        status,
        response_status: None,
        outcome: TurnOutcome::Unclassified,
        outcome_reason: String::new(),
        summary: String::new(),
        tool_calls: 0,
        exit_code: None,
        kill_rung: "pid_namespace".into(),
        containment: None,
        leftovers: 0,
        duration_ms: 1,
        output_bytes: 0,
        dropped_bytes: 0,
        exit_record: None,
        failure: None,
    })
}

fn gate(result: GateResult, must_pass: bool) -> GateFinished {
    GateFinished {
        gate: "tests".into(),
        round: 1,
        result,
        must_pass,
        acceptance: true,
        code: "gate_failed".into(),
        reason: "exit code 1".into(),
        tree: "t".into(),
        definition: Sha256Digest::of(b"d"),
        exit_code: Some(1),
        output: None,
        duration_ms: 1,
    }
}

fn end() -> RunEvent {
    RunEvent::Ended(RunEnded {
        outcome: RunOutcome::Failed,
        failure: None,
        tree: None,
        assurance: Assurance::None,
        turns: 0,
    })
}

fn fact() -> impl Strategy<Value = RunEvent> {
    let phase = (0..Phase::ALL.len()).prop_map(|index| Phase::ALL[index]);
    let status = prop_oneof![
        Just(TurnStatus::Completed),
        Just(TurnStatus::Stalled),
        Just(TurnStatus::Failed),
        Just(TurnStatus::InProgress),
    ];
    prop_oneof![
        1 => Just(started()),
        8 => phase.prop_map(|phase| RunEvent::PhaseEntered { phase }),
        4 => (1..6_u32).prop_map(begun),
        4 => (1..6_u32, status).prop_map(|(turn, status)| ended_turn(turn, status)),
        2 => (1..6_u32).prop_map(|turn| RunEvent::SnapshotTaken(SnapshotTaken {
            turn, label: "l".into(), commit: "c".into(), tree: "t".into(), files: 0, ignored: 0,
        })),
        2 => Just(RunEvent::GateFinished(gate(GateResult::Passed, true))),
        3 => Just(RunEvent::Parked(RunParked {
            reason: ParkReason::Approval, until: None, approval: None,
        })),
        3 => Just(RunEvent::Resumed(RunResumed { epoch: Epoch(2), because: "approved".into() })),
        1 => Just(RunEvent::CancelReceived { reason: "r".into() }),
        1 => Just(RunEvent::Noted(Note { code: "c".into(), text: "t".into() })),
        1 => Just(end()),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(512))]

    #[test]
    fn accepted_facts_make_a_legal_run_and_replay_to_the_same_state(
        facts in prop::collection::vec(fact(), 1..120)
    ) {
        let mut state = RunState::default();
        let mut log = Vec::new();
        for (index, fact) in facts.into_iter().enumerate() {
            let at = Timestamp::from_micros(i64::try_from(index).unwrap());
            let Ok(events) = decide(&state, fact) else { continue };
            for event in events {
                let next = state.clone().apply(&event, at);
                prop_assert!(state.ended.is_none(), "something followed the end: {event:?}");
                prop_assert!(
                    state.phase == next.phase || state.phase.may_become(next.phase),
                    "{} -> {}", state.phase, next.phase
                );
                let numbers: Vec<u32> = next.turns.iter().map(|turn| turn.turn).collect();
                prop_assert_eq!(numbers, (1..=next.turn_count()).collect::<Vec<_>>());
                let open = next.turns.iter().filter(|turn| turn.status == TurnStatus::InProgress).count();
                prop_assert!(open <= 1);
                if state.phase == Phase::Parked && next.phase != Phase::Parked {
                    prop_assert_eq!(Some(next.phase), state.parked_from, "left for elsewhere");
                }
                prop_assert_eq!(next.phase == Phase::Parked, next.parked_from.is_some());
                state = next;
                log.push((event, at));
            }
        }
        let replayed = log.iter().fold(RunState::default(), |state, (event, at)| state.apply(event, *at));
        prop_assert_eq!(replayed, state);
    }

    #[test]
    fn facts_survive_the_envelope(fact in fact()) {
        let (kind, data) = fact.clone().into_parts();
        prop_assert!(kind.ends_with(".v1"));
        prop_assert_eq!(RunEvent::from_parts(&kind, &data).unwrap(), fact);
    }
}

#[test]
fn every_phase_may_be_left_for_sealing_and_only_sealing_for_the_end() {
    for phase in Phase::ALL {
        let active = !matches!(phase, Phase::Parked | Phase::Sealing | Phase::Ended);
        assert_eq!(phase.may_become(Phase::Sealing), active, "{phase}");
        assert_eq!(
            phase.may_become(Phase::Ended),
            phase == Phase::Sealing,
            "{phase}"
        );
    }
}

#[test]
fn nothing_comes_before_the_start() {
    assert_eq!(decide(&RunState::default(), end()), Err(RunRefusal::Start));
}

fn limits() -> Limits {
    Limits::defaults(ModelClass::default())
}

fn state(turns: &[TurnStatus]) -> RunState {
    let at = Timestamp::EPOCH;
    let mut state = RunState::default().apply(&started(), at);
    for (turn, status) in (1..).zip(turns) {
        state = state
            .apply(&begun(turn), at)
            .apply(&ended_turn(turn, *status), at);
    }
    state
}

fn verdict(exit: Exit, response: &str) -> dogwatch_core::turn::TurnVerdict {
    let reading = if response.is_empty() {
        ResponseReading::Missing
    } else {
        ResponseReading::parse(response.as_bytes())
    };
    judge(&exit, &reading, MissingResponse::MeansDone, false)
}

const WELL: Exit = Exit::Exited { code: 0 };

#[test]
fn done_goes_to_the_gates_and_continue_to_the_next_turn() {
    let state = state(&[TurnStatus::Completed]);
    let done = verdict(WELL, r#"{"status":"done"}"#);
    assert_eq!(
        after_turn(&state, &limits(), &done, Timestamp::EPOCH),
        Step::Gates
    );
    let go_on = verdict(WELL, r#"{"status":"continue","next_task":" write tests "}"#);
    assert_eq!(
        after_turn(&state, &limits(), &go_on, Timestamp::EPOCH),
        Step::Turn {
            next_task: Some("write tests".into())
        }
    );
    let go_on = verdict(WELL, r#"{"status":"continue"}"#);
    assert_eq!(
        after_turn(&state, &limits(), &go_on, Timestamp::EPOCH),
        Step::Turn { next_task: None }
    );
}

fn finish(step: Step) -> (RunOutcome, String) {
    let Step::Finish { outcome, failure } = step else {
        panic!("{step:?} is not an end");
    };
    (
        outcome,
        failure.map(|failure| failure.code).unwrap_or_default(),
    )
}

#[test]
fn the_agents_own_blocked_and_failed_end_the_run() {
    let state = state(&[TurnStatus::Blocked]);
    for (answer, outcome, code) in [
        ("blocked", RunOutcome::Blocked, "agent_blocked"),
        ("failed", RunOutcome::Failed, "agent_failed"),
    ] {
        let verdict = verdict(WELL, &format!(r#"{{"status":"{answer}"}}"#));
        let step = after_turn(&state, &limits(), &verdict, Timestamp::EPOCH);
        assert_eq!(finish(step), (outcome, code.to_owned()));
    }
}

#[test]
fn turns_run_out_exactly_at_the_limit() {
    let mut limits = limits();
    limits.max_turns = 2;
    let go_on = verdict(WELL, r#"{"status":"continue"}"#);
    let one = state(&[TurnStatus::Completed]);
    assert!(matches!(
        after_turn(&one, &limits, &go_on, Timestamp::EPOCH),
        Step::Turn { .. }
    ));
    let two = state(&[TurnStatus::Completed, TurnStatus::Completed]);
    let step = after_turn(&two, &limits, &go_on, Timestamp::EPOCH);
    assert_eq!(finish(step), (RunOutcome::Failed, "max_turns".to_owned()));
}

#[test]
fn stalls_restart_with_growing_waits_until_the_limit() {
    let mut limits = limits();
    limits.max_turns = 10;
    limits.max_stall_restarts = 2;
    limits.initial_backoff_ms = 100;
    limits.max_retry_backoff_ms = 150;
    let stalled = verdict(Exit::Stalled { silent_ms: 5 }, "");
    let mut waits = Vec::new();
    for count in 1..=2 {
        let state = state(&vec![TurnStatus::Stalled; count]);
        let Step::Restart { backoff } = after_turn(&state, &limits, &stalled, Timestamp::EPOCH)
        else {
            panic!("stall {count} is within the limit");
        };
        waits.push(backoff.as_millis());
    }
    assert_eq!(waits, [100, 150]);
    let third = state(&[TurnStatus::Stalled; 3]);
    let step = after_turn(&third, &limits, &stalled, Timestamp::EPOCH);
    assert_eq!(
        finish(step),
        (RunOutcome::Blocked, "stall_restart_exhausted".to_owned())
    );
    let interrupted = state(&[
        TurnStatus::Stalled,
        TurnStatus::Completed,
        TurnStatus::Stalled,
    ]);
    assert_eq!(interrupted.consecutive_stalls, 1);
}

#[test]
fn the_wall_clock_ends_the_run_by_its_own_name() {
    let limits = limits();
    let late = Timestamp::from_micros(i64::try_from(limits.wall_ms).unwrap() * 1000);
    let state = state(&[TurnStatus::Completed]);
    let step = before_turn(&state, &limits, late).unwrap();
    assert_eq!(
        finish(step),
        (RunOutcome::TimedOut, "wall_clock".to_owned())
    );
    let budget = verdict(Exit::Budget { budget_ms: 1 }, "");
    let step = after_turn(&state, &limits, &budget, late);
    assert_eq!(
        finish(step),
        (RunOutcome::TimedOut, "wall_clock".to_owned())
    );
    let step = after_turn(&state, &limits, &budget, Timestamp::EPOCH);
    assert_eq!(finish(step), (RunOutcome::Failed, "turn_budget".to_owned()));
}

#[test]
fn gates_decide_and_an_error_in_any_of_them_blocks() {
    let state = state(&[TurnStatus::Completed]);
    let at = Timestamp::EPOCH;
    let run = |gates: &[GateFinished]| after_gates(&state, &limits(), gates, at);
    let passed = gate(GateResult::Passed, true);
    assert_eq!(
        finish(run(std::slice::from_ref(&passed))),
        (RunOutcome::Succeeded, String::new())
    );
    assert_eq!(
        run(&[passed.clone(), gate(GateResult::Failed, true)]),
        Step::Turn { next_task: None }
    );
    assert_eq!(
        finish(run(&[passed.clone(), gate(GateResult::Failed, false)])).0,
        RunOutcome::Succeeded
    );
    assert_eq!(
        finish(run(&[
            gate(GateResult::Failed, true),
            gate(GateResult::Error, false)
        ]))
        .0,
        RunOutcome::Blocked
    );
    let mut limits = limits();
    limits.max_turns = 1;
    let step = after_gates(&state, &limits, &[gate(GateResult::Failed, true)], at);
    let Step::Finish { outcome, failure } = step else {
        panic!("no turn is left")
    };
    let failure = failure.unwrap();
    assert_eq!(
        (outcome, failure.code.as_str()),
        (RunOutcome::Failed, "gate_failed")
    );
    assert_eq!(failure.class, dogwatch_core::FailureClass::Gate);
}

#[test]
fn a_cancellation_wins_over_everything_else() {
    let state = state(&[TurnStatus::Completed]).apply(
        &RunEvent::CancelReceived {
            reason: "user".into(),
        },
        Timestamp::EPOCH,
    );
    let done = verdict(WELL, r#"{"status":"done"}"#);
    let step = after_turn(&state, &limits(), &done, Timestamp::EPOCH);
    assert_eq!(finish(step), (RunOutcome::Stopped, "cancelled".to_owned()));
    let step = after_gates(
        &state,
        &limits(),
        &[gate(GateResult::Passed, true)],
        Timestamp::EPOCH,
    );
    assert_eq!(finish(step).0, RunOutcome::Stopped);
}
