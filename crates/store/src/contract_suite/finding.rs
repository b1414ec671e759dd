//! Ids as people type them.

use dogwatch_core::job::StartApproval;

use super::bench::Bench;

/// Whole, by their beginning, or by their last digits.
pub async fn ids_are_found_by_their_ends(bench: &Bench) {
    let (held, run) = bench.running().await;
    let other = bench.submit().await;
    let find = async |text: &str| bench.store.find_ids(text, 10).await.unwrap();
    let job = held.job.to_string();

    assert_eq!(find(&job).await, [job.as_str()]);
    assert_eq!(find(&run.to_string()).await, [run.to_string()]);
    assert_eq!(find(&held.job.short()).await, [job.as_str()]);
    assert_eq!(find(&run.short()).await, [run.to_string()]);
    assert_eq!(find(&job["job_".len()..]).await, [job.as_str()]);
    assert_eq!(find(&job[job.len() - 4..]).await, [job.as_str()]);
    // Both jobs were made in the same second, so they begin alike.
    let mut both = vec![job.clone(), other.to_string()];
    both.sort();
    assert_eq!(find(&job[..12]).await, both);
    assert_eq!(bench.store.find_ids(&job[..12], 1).await.unwrap().len(), 1);

    let asking = bench
        .submit_with(|facts| facts.approval = Some(StartApproval { ttl_ms: 1000 }))
        .await;
    let approval = bench.job(asking).await.approvals[0].id;
    assert_eq!(find(&approval.to_string()).await, [approval.to_string()]);
    assert_eq!(find(&approval.short()).await, [approval.to_string()]);
    assert_eq!(find("apr_").await, [approval.to_string()]);

    for nothing in [
        "", "f", "abc", "job_zz", "xyz_0", "%", "job_%", "ffffffff", "JOB_",
    ] {
        assert!(find(nothing).await.is_empty(), "{nothing}");
    }
}
