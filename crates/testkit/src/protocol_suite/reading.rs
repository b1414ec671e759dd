//! Looking.

use dogwatch_api::{CreateToken, JobRef, ListEvents, ListJobs, ListRuns, ProblemCode, Scope};
use dogwatch_core::Sha256Digest;
use dogwatch_core::ids::JobId;
use dogwatch_core::job::{JobStatus, RunOutcome};
use dogwatch_core::server::TokenStatus;

use super::bench::Bench;

/// Newest first, page by page, each once.
pub async fn lists_are_paged(bench: &Bench) {
    let mut jobs = Vec::new();
    for number in 0..5 {
        bench.clock.advance(std::time::Duration::from_secs(1));
        jobs.push(bench.queued(&format!("task {number}")).await);
    }
    jobs.reverse();
    let mut request = ListJobs {
        limit: Some(2),
        ..ListJobs::default()
    };
    let mut seen: Vec<JobId> = Vec::new();
    loop {
        let page = bench.user.list_jobs(request.clone()).await.unwrap();
        assert!(page.items.len() <= 2);
        seen.extend(page.items.iter().map(|view| view.job.id));
        match page.next_cursor {
            Some(cursor) => request.cursor = Some(cursor),
            None => break,
        }
    }
    assert_eq!(seen, jobs);
    request.cursor = Some("no such cursor/&?".to_owned());
    let problem = bench.user.list_jobs(request).await.unwrap_err();
    assert_eq!(problem.code, "bad_cursor");
}

/// By state, by project, by job.
pub async fn lists_are_filtered(bench: &Bench) {
    let mut over = bench.run_of("over").await;
    bench.complete(&mut over, RunOutcome::Succeeded).await;
    let running = bench.run_of("running").await;
    let queued = bench.queued("queued").await;
    for (statuses, count) in [
        (vec![], 3),
        (vec![JobStatus::Queued], 1),
        (vec![JobStatus::Succeeded, JobStatus::Running], 2),
        (vec![JobStatus::Denied], 0),
    ] {
        let request = ListJobs {
            statuses,
            project: Some(bench.project),
            ..ListJobs::default()
        };
        let page = bench.user.list_jobs(request).await.unwrap();
        assert_eq!(page.items.len(), count);
    }
    let elsewhere = dogwatch_core::ids::ProjectId::mint(&bench.clock, &bench.entropy);
    let request = ListJobs {
        project: Some(elsewhere),
        ..ListJobs::default()
    };
    assert!(
        bench
            .user
            .list_jobs(request)
            .await
            .unwrap()
            .items
            .is_empty()
    );
    let request = ListRuns {
        job: Some(running.lease.job),
        ..ListRuns::default()
    };
    let runs = bench.user.list_runs(request).await.unwrap().items;
    let ids: Vec<_> = runs.iter().map(|run| run.id).collect();
    assert_eq!(ids, [running.run]);
    assert_eq!(
        bench.user.job(queued).await.unwrap().job,
        bench.job(queued).await
    );
}

/// Nothing is not an empty something.
pub async fn what_is_not_there_is_said(bench: &Bench) {
    let job = JobId::mint(&bench.clock, &bench.entropy);
    let run = bench.run_id();
    let digest = Sha256Digest::of(b"never stored");
    for (problem, code) in [
        (bench.user.job(job).await.unwrap_err(), "job_not_found"),
        (bench.user.run(run).await.unwrap_err(), "run_not_found"),
        (
            bench.user.run_lines(run, 0).await.unwrap_err(),
            "run_not_found",
        ),
        (
            bench.user.list_output(run).await.unwrap_err(),
            "run_not_found",
        ),
        (bench.user.bundle(run).await.unwrap_err(), "run_not_found"),
        (
            bench.user.contract(digest).await.unwrap_err(),
            "contract_not_found",
        ),
        (bench.user.blob(digest).await.unwrap_err(), "blob_not_found"),
        (
            bench.user.resolve(&job.to_string()).await.unwrap_err(),
            "not_found",
        ),
    ] {
        assert_eq!(
            (problem.kind, problem.code.as_str()),
            (ProblemCode::NotFound, code)
        );
        assert!(!problem.next_action.is_empty());
    }
}

/// A part is enough where only one has it; odd text names nothing.
pub async fn short_ids_are_resolved(bench: &Bench) {
    let held = bench.run_of("task").await;
    let job = held.lease.job;
    for text in [job.to_string(), job.short()] {
        assert_eq!(
            bench.user.resolve(&text).await.unwrap(),
            JobRef::Job(job),
            "{text}"
        );
    }
    let run = held.run.to_string();
    assert_eq!(
        bench.user.resolve(&run).await.unwrap(),
        JobRef::Run(held.run)
    );
    for text in ["a/b", "..", ".", "%2e", "?", "#", "job_\u{1f980}"] {
        let problem = bench.user.resolve(text).await.unwrap_err();
        assert!(
            matches!(problem.kind, ProblemCode::NotFound | ProblemCode::Invalid),
            "{text}: {problem:?}"
        );
    }
}

/// With the events that led there.
pub async fn why_has_the_causes(bench: &Bench) {
    let mut held = bench.run_of("task").await;
    bench.complete(&mut held, RunOutcome::Failed).await;
    for what in [JobRef::Job(held.lease.job), JobRef::Run(held.run)] {
        let why = bench.user.why(what).await.unwrap();
        assert_eq!((why.job, why.status), (held.lease.job, JobStatus::Failed));
        assert!(!why.summary.is_empty() && !why.causes.is_empty());
    }
}

/// Oldest first, and whoever asks from a cursor gets what came after it.
pub async fn the_log_is_read_from_a_cursor(bench: &Bench) {
    let job = bench.queued("task").await;
    let request = ListEvents {
        job: Some(job),
        ..ListEvents::default()
    };
    let first = bench.user.list_events(request.clone()).await.unwrap();
    assert!(!first.items.is_empty());
    let mut later = request;
    later.after = Some(first.next_cursor.parse().unwrap());
    let none = bench.user.list_events(later.clone()).await.unwrap();
    assert!(none.items.is_empty());
    bench.leased(job).await;
    let second = bench.user.list_events(later).await.unwrap();
    assert!(!second.items.is_empty());
    let positions: Vec<_> = first
        .items
        .iter()
        .chain(&second.items)
        .map(|entry| entry.position)
        .collect();
    assert!(positions.is_sorted_by(|one, next| one < next));
    for entry in &second.items {
        assert_eq!(entry.event.job, Some(job));
    }
}

/// Made, shown once, listed without its secret, and taken back for good.
pub async fn tokens_come_and_go(bench: &Bench) {
    let request = CreateToken {
        label: "laptop".to_owned(),
        principal: None,
        scopes: [Scope::Read].into(),
        projects: None,
        expires_at: None,
    };
    let made = bench.chief.create_token(request.clone()).await.unwrap();
    assert!(!made.secret.is_empty());
    assert!(!format!("{made:?}").contains(&made.secret));
    let bearer = bench.bearer(&made.secret).await;
    bearer.list_jobs(ListJobs::default()).await.unwrap();
    let problem = bearer.submit(bench.submission("x")).await.unwrap_err();
    assert_eq!(problem.code, "scope_missing");
    let mut more = request;
    more.scopes = [Scope::Read, Scope::Agent].into();
    let problem = bench.chief.create_token(more).await.unwrap_err();
    assert!(
        matches!(problem.kind, ProblemCode::Forbidden | ProblemCode::Invalid),
        "an agent's token comes with its run alone: {problem:?}"
    );
    for _ in 0..2 {
        let revoked = bench.chief.revoke_token(made.token.id).await.unwrap();
        assert_eq!(revoked.status, TokenStatus::Revoked);
    }
    let tokens = bench.chief.list_tokens().await.unwrap().items;
    let own = tokens.iter().find(|token| token.id == made.token.id);
    assert_eq!(own.unwrap().status, TokenStatus::Revoked);
    let problem = bench.user.list_tokens().await.unwrap_err();
    assert_eq!(problem.code, "scope_missing");
}
