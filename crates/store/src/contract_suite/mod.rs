//! The contract suite: what every backend has to do, run by each backend against itself.
//!
//! A backend's test file says `dogwatch_store::contract_suite!(open);` with an `async fn open(clock, entropy) -> Opened`, and gets one
//! `#[tokio::test]` per check. This crate itself needs no runtime: the checks are plain futures.

mod asking;
mod bench;
mod commands;
mod concurrently;
mod journal;

pub mod approvals;
pub mod blobs;
pub mod claims;
pub mod decisions;
pub mod fencing;
pub mod finding;
pub mod idempotency;
pub mod life_cycles;
pub mod lists;
pub mod log;
pub mod maintenance;
pub mod output;
pub mod parking;
pub mod riders;
pub mod run_lines;
pub mod server_stream;
pub mod timers;

pub use bench::{Bench, CountingEntropy, ManualClock, Opened};
pub use commands::Held;
pub use concurrently::concurrently;
pub use journal::JournalWriter;

/// One `#[tokio::test]` per check, against the stores that the named function opens.
#[macro_export]
macro_rules! contract_suite {
    ($open:path) => {
        $crate::contract_suite!(@checks $open;
            life_cycles: a_job_succeeds;
            life_cycles: a_failed_attempt_waits_and_is_tried_again;
            life_cycles: a_queued_job_is_cancelled_at_once;
            life_cycles: a_running_job_is_cancelled_by_its_runner;
            life_cycles: a_blocked_job_goes_on_when_asked;
            life_cycles: a_revoked_lease_orphans_its_run;
            life_cycles: a_released_job_is_queued_again;
            life_cycles: a_denied_job_is_never_claimed;
            life_cycles: terminal_is_final;
            life_cycles: a_clean_up_is_recorded_after_the_end;
            idempotency: the_same_request_gets_the_same_answer;
            idempotency: another_request_under_the_key_is_refused;
            idempotency: a_refused_request_keeps_no_key;
            idempotency: a_request_that_changed_nothing_keeps_its_answer;
            idempotency: keys_of_projects_are_apart;
            idempotency: a_key_used_at_once_makes_one_job;
            idempotency: a_claim_asked_again_is_the_same_claim;
            idempotency: keys_live_as_long_as_they_are_needed;
            claims: the_greatest_priority_then_the_oldest;
            claims: a_scheduled_job_waits_and_blocks_nobody;
            claims: priority_then_schedule_then_age;
            claims: a_claim_keeps_to_its_projects;
            claims: an_unmet_job_blocks_nobody;
            claims: many_claimers_get_each_job_once;
            claims: epochs_only_grow;
            claims: a_refused_claim_leaves_the_job_ready;
            approvals: an_approval_is_used_once;
            approvals: a_rejected_start_is_denied;
            approvals: an_approval_expires_to_a_denial;
            approvals: an_approval_is_superseded_by_another_policy;
            approvals: a_running_agent_asks;
            approvals: approvals_are_listed_newest_first;
            parking: a_parked_run_goes_on_as_itself;
            parking: a_parked_run_is_its_machines_alone;
            parking: a_decision_wakes_the_run_that_waits_for_it;
            parking: a_refusing_policy_leaves_it_parked;
            timers: deadlines_come_in_their_order;
            timers: a_deadline_expires_a_job_that_waits;
            timers: a_parked_run_expires_with_its_job;
            server_stream: tokens_come_and_go;
            server_stream: a_refused_update_changes_nothing;
            server_stream: a_runner_is_kept_by_what_it_said_last;
            server_stream: the_servers_chain_holds;
            fencing: a_stale_epoch_changes_nothing;
            fencing: a_revoked_holder_writes_no_line;
            decisions: the_closure_sees_the_state_and_the_clock;
            decisions: a_stream_begins_with_a_job;
            decisions: a_stream_holds_its_own_job;
            decisions: a_panic_is_one_requests_fault;
            decisions: an_oversized_event_is_refused_whole;
            decisions: an_update_outlives_its_caller;
            run_lines: lines_are_kept_byte_for_byte;
            run_lines: lines_sent_again_change_nothing;
            run_lines: a_gap_names_the_next_line;
            run_lines: another_history_is_a_fork;
            run_lines: a_run_is_written_under_its_own_job;
            run_lines: a_line_that_does_not_link_is_refused;
            run_lines: what_is_no_line_is_refused;
            run_lines: a_bad_line_takes_the_good_ones_with_it;
            run_lines: nothing_follows_the_end;
            riders: a_contract_is_kept_byte_for_byte;
            riders: a_contract_under_a_wrong_hash_undoes_the_update;
            riders: renewals_are_counted;
            riders: a_run_has_one_bundle;
            lists: pages_are_newest_first_and_complete;
            lists: a_page_does_not_move_under_new_jobs;
            lists: jobs_are_filtered_by_project_and_status;
            lists: runs_are_filtered_by_job_and_project;
            lists: unfinished_jobs_are_counted;
            lists: a_forged_cursor_is_refused;
            lists: an_unknown_id_is_nothing;
            finding: ids_are_found_by_their_ends;
            log: every_event_is_complete;
            log: the_chain_holds;
            log: events_are_read_from_a_position;
            log: the_log_is_in_the_order_of_commits;
            maintenance: projections_equal_a_replay;
        );
    };
    (@checks $open:path; $($module:ident: $check:ident;)*) => {$(
        #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
        async fn $check() {
            let bench = $crate::contract_suite::Bench::open($open).await;
            $crate::contract_suite::$module::$check(&bench).await;
        }
    )*};
}

#[cfg(test)]
mod tests {
    const MODULES: [(&str, &str); 15] = [
        ("approvals", include_str!("approvals.rs")),
        ("claims", include_str!("claims.rs")),
        ("decisions", include_str!("decisions.rs")),
        ("fencing", include_str!("fencing.rs")),
        ("finding", include_str!("finding.rs")),
        ("idempotency", include_str!("idempotency.rs")),
        ("life_cycles", include_str!("life_cycles.rs")),
        ("lists", include_str!("lists.rs")),
        ("log", include_str!("log.rs")),
        ("maintenance", include_str!("maintenance.rs")),
        ("parking", include_str!("parking.rs")),
        ("riders", include_str!("riders.rs")),
        ("run_lines", include_str!("run_lines.rs")),
        ("server_stream", include_str!("server_stream.rs")),
        ("timers", include_str!("timers.rs")),
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
        assert!(checks > 70, "{checks}");
    }
}
