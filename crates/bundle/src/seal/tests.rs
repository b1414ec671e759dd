//! Crash safety: stopped after any step, the bundle is unsealed or sealed, and sealing again completes it.

use std::fs;
use std::io;

use super::steps::{Sealed, Step, seal_in_steps};
use super::{SealError, seal};
use crate::verify::verify;

#[path = "../../tests/it/fixture.rs"]
#[expect(
    dead_code,
    reason = "shared with the integration tests, which use the rest"
)]
mod fixture;

use fixture::{Bundle, Plan, files_under, runner_key, trusted};

const STEPS: [Step; 6] = [
    Step::Cleared,
    Step::StockTaken,
    Step::ManifestDrafted,
    Step::ManifestInPlace,
    Step::AttestationDrafted,
    Step::AttestationInPlace,
];

fn seal_until(bundle: &Bundle, last: Step) -> Result<Sealed, SealError> {
    seal_in_steps(
        &bundle.dir,
        bundle.facts.clone(),
        &runner_key(),
        &mut |step| {
            if step == last {
                Err(io::Error::other("stopped here"))
            } else {
                Ok(())
            }
        },
    )
}

#[test]
fn every_step_is_passed_in_order() {
    let bundle = Bundle::open(&Plan::small());
    let mut passed = Vec::new();
    seal_in_steps(
        &bundle.dir,
        bundle.facts.clone(),
        &runner_key(),
        &mut |step| {
            passed.push(step);
            Ok(())
        },
    )
    .unwrap();
    assert_eq!(passed, STEPS);
}

#[test]
fn stopped_anywhere_it_is_unsealed_or_sealed_and_can_be_completed() {
    for first in STEPS {
        for second in STEPS {
            let bundle = Bundle::open(&Plan::small());
            let done = first == Step::AttestationInPlace;
            seal_until(&bundle, first).unwrap_err();
            assert_eq!(verify(&bundle.dir, &trusted()).valid, done, "{first:?}");
            // Stopped once more on the way to completing it.
            let done = done || second == Step::AttestationInPlace;
            let again = seal_until(&bundle, second);
            assert_eq!(again.is_ok(), first == Step::AttestationInPlace);
            assert_eq!(
                verify(&bundle.dir, &trusted()).valid,
                done,
                "{first:?} {second:?}"
            );
            let sealed = seal(&bundle.dir, bundle.facts.clone(), &runner_key()).unwrap();
            assert_eq!(sealed.was_sealed, done);
            let verification = verify(&bundle.dir, &trusted());
            assert!(
                verification.valid,
                "{first:?} {second:?} {:?}",
                verification.findings
            );
            assert!(
                !files_under(&bundle.dir)
                    .iter()
                    .any(|name| name.ends_with(".draft"))
            );
        }
    }
}

#[test]
fn evidence_that_changed_after_the_crash_is_digested_anew() {
    let bundle = Bundle::open(&Plan::small());
    seal_until(&bundle, Step::AttestationDrafted).unwrap_err();
    fs::write(bundle.dir.join("patch.diff"), "written late").unwrap();
    seal(&bundle.dir, bundle.facts.clone(), &runner_key()).unwrap();
    assert!(verify(&bundle.dir, &trusted()).valid);
}
