//! Honest bundles of any shape raise no alarm.

use proptest::collection::vec;
use proptest::prelude::*;

use crate::fixture::{Bundle, Plan};

fn plans() -> impl Strategy<Value = Plan> {
    (
        any::<u8>(),
        1..6_u64,
        vec(vec(any::<u8>(), 0..300), 0..3),
        vec((".{0,12}", vec(any::<u8>(), 0..50)), 0..3),
        vec(any::<u8>(), 0..100),
        any::<bool>(),
    )
        .prop_map(|(run, records, turns, gates, patch, has_tree)| Plan {
            run,
            records,
            turns,
            gates,
            patch,
            tree: has_tree.then(|| "a".repeat(64)),
        })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 200, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn an_honest_bundle_is_valid(plan in plans()) {
        let bundle = Bundle::open(&plan);
        let sealed = bundle.seal();
        let verification = bundle.verify();
        prop_assert!(verification.valid, "{:?}", verification.findings);
        prop_assert_eq!(verification.manifest_digest, Some(sealed.manifest_digest));
        prop_assert_eq!(verification.manifest.unwrap(), sealed.manifest);
    }
}
