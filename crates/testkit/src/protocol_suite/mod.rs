//! The protocol suite: what every transport to the control plane has to do, written once over `ControlPlane`.
//!
//! A test file says `dogwatch_testkit::protocol_suite!(open);` with an `async fn open() -> impl Stage`, and gets one `#[tokio::test]` per
//! check. The stage has a store, an engine and a clock of its own; only what lies between them and the checks differs.

mod bench;
mod journal;
mod stage;

pub mod approvals;
pub mod claims;
pub mod endings;
pub mod fencing;
pub mod leases;
pub mod mirrors;
pub mod payloads;
pub mod reading;
pub mod requests;
pub mod verdicts;

pub use bench::{Bench, Held};
pub use journal::JournalText;
pub use stage::Stage;

/// One `#[tokio::test]` per check, on the stages that the named function opens.
#[macro_export]
macro_rules! protocol_suite {
    ($open:path) => {
        $crate::protocol_suite!(@checks $open;
            claims: a_runner_introduces_itself;
            claims: a_claim_asked_again_gets_the_same_leases;
            claims: a_claim_has_all_that_a_run_needs;
            claims: a_job_that_is_taken_is_not_given_again;
            claims: many_claims_at_once_get_each_job_once;
            claims: a_long_poll_ends_when_work_arrives;
            claims: a_long_poll_ends_when_its_time_is_up;
            claims: a_drained_control_plane_gives_no_work;
            claims: a_released_job_is_ready_again;
            claims: a_job_goes_only_to_who_can_take_it;
            claims: a_wakeup_says_that_there_is_work;
            claims: a_claim_needs_its_scope;
            leases: a_start_repeated_is_the_same_run;
            leases: a_heartbeat_says_to_go_on;
            leases: a_heartbeat_says_that_the_job_was_called_off;
            leases: a_heartbeat_says_that_a_lease_is_lost;
            leases: a_lease_that_is_not_renewed_is_lost;
            leases: a_lease_that_is_renewed_lives_on;
            leases: a_lease_is_revoked;
            mirrors: journal_lines_are_kept_once;
            mirrors: a_journal_gap_names_the_next_line;
            mirrors: a_journal_fork_is_refused;
            mirrors: output_is_kept_once;
            mirrors: an_output_gap_names_the_next_offset;
            mirrors: messages_are_told;
            payloads: a_payload_is_named_by_its_digest;
            payloads: a_payload_of_another_digest_is_refused;
            payloads: a_bundle_is_declared_when_it_is_whole;
            endings: a_completion_repeated_changes_nothing;
            endings: a_completion_needs_the_whole_journal;
            endings: a_completion_of_a_stale_epoch_changes_nothing;
            endings: a_clean_up_is_recorded_after_the_end;
            endings: a_parked_run_is_resumed;
            requests: a_submission_repeated_is_the_same_job;
            requests: a_wrong_submission_makes_no_job;
            requests: a_job_that_waits_is_cancelled_at_once;
            requests: a_job_that_is_held_is_cancelled_by_its_runner;
            requests: a_job_that_is_parked_is_cancelled;
            requests: a_job_that_is_over_is_not_cancelled;
            requests: a_retry_is_another_attempt;
            requests: a_retry_goes_on_where_the_last_run_stopped;
            requests: a_retry_goes_on_only_from_its_own_runs;
            approvals: a_start_waits_for_a_yes;
            approvals: a_no_denies_a_start;
            approvals: an_agent_asks_and_a_person_decides;
            approvals: an_agent_speaks_for_its_own_run_only;
            approvals: a_run_parked_for_an_approval_goes_on;
            fencing: another_lease_writes_nothing;
            fencing: a_lease_that_is_over_writes_nothing;
            fencing: nothing_is_written_after_the_end;
            fencing: a_parked_run_is_written_by_nobody;
            fencing: a_lease_writes_only_for_its_own_run;
            reading: lists_are_paged;
            reading: lists_are_filtered;
            reading: what_is_not_there_is_said;
            reading: short_ids_are_resolved;
            reading: why_has_the_causes;
            reading: the_log_is_read_from_a_cursor;
            reading: tokens_come_and_go;
            verdicts: a_promoted_change_lands_once;
            verdicts: a_run_is_rejected;
            verdicts: a_verdict_needs_its_evidence;
        );
    };
    (@checks $open:path; $($module:ident: $check:ident;)*) => {$(
        #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
        async fn $check() {
            let bench = $crate::protocol_suite::Bench::new($open().await).await;
            $crate::protocol_suite::$module::$check(&bench).await;
        }
    )*};
}

#[cfg(test)]
mod tests {
    const MODULES: [(&str, &str); 10] = [
        ("approvals", include_str!("approvals.rs")),
        ("claims", include_str!("claims.rs")),
        ("endings", include_str!("endings.rs")),
        ("fencing", include_str!("fencing.rs")),
        ("leases", include_str!("leases.rs")),
        ("mirrors", include_str!("mirrors.rs")),
        ("payloads", include_str!("payloads.rs")),
        ("reading", include_str!("reading.rs")),
        ("requests", include_str!("requests.rs")),
        ("verdicts", include_str!("verdicts.rs")),
    ];

    #[test]
    fn every_check_is_on_the_list() {
        let list = include_str!("mod.rs");
        let mut checks = 0;
        for (module, source) in MODULES {
            for line in source.lines() {
                let Some(rest) = line.strip_prefix("pub async fn ") else {
                    continue;
                };
                let name = rest.split('(').next().unwrap_or_default();
                assert!(
                    list.contains(&format!("{module}: {name};")),
                    "{module}::{name} is never run"
                );
                checks += 1;
            }
        }
        assert!(checks >= 62, "{checks}");
    }
}
