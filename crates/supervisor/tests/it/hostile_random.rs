//! Random sequences of attacks, some of them at the same time: no combination of them gets further than each of them.
//!
//! `DOGWATCH_TEST_REPEATS` says how many sequences, `DOGWATCH_TEST_SEED` which one is the first. A sequence that fails says its seed.

use std::time::Instant;

use crate::case::say;
use crate::hostile::{Attack, assault, attacks_of, script};
use crate::view::whoever;

/// How many attacks a sequence has at most.
const LONGEST: u64 = 60;

/// Numbers that follow from a seed.
struct Dice(u64);

impl Dice {
    /// One of the first `sides` numbers.
    fn roll(&mut self, sides: u64) -> usize {
        // SplitMix64.
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        usize::try_from((mixed ^ (mixed >> 31)) % sides).unwrap()
    }

    fn one_of<T: Copy>(&mut self, from: &[T]) -> T {
        from[self.roll(from.len() as u64)]
    }
}

fn number(name: &str, default: u64) -> u64 {
    std::env::var(name).map_or(default, |text| text.parse().expect("a number"))
}

#[tokio::test(flavor = "multi_thread")]
async fn no_sequence_of_attacks_gets_out() {
    let everybody = whoever().await;
    let started = Instant::now();
    let (first, repeats) = (
        number("DOGWATCH_TEST_SEED", 1),
        number("DOGWATCH_TEST_REPEATS", 5),
    );
    let mut tried = 0;
    for seed in first..first + repeats {
        let mut dice = Dice(seed);
        let who = dice.one_of(&everybody);
        let known = attacks_of(who);
        let length = 1 + dice.roll(LONGEST);
        let attacks: Vec<Attack> = (0..length).map(|_| dice.one_of(&known)).collect();
        // The dice say who goes beside whom; the machine says what that comes to.
        let script = script(&attacks, |_| dice.roll(4) == 0);
        say(&format!("seed {seed}: {length} attacks as {who:?}"));
        assault(who, true, &attacks, &script).await;
        tried += length;
    }
    say(&format!(
        "{tried} attacks in {repeats} sequences in {:?}",
        started.elapsed()
    ));
}
