//! Random senders against a stream that is a `Vec`.

use dogwatch_blobs::FileOutput;
use dogwatch_store::{Output as _, OutputError, OutputPart};
use proptest::prelude::*;

use crate::place::{run, stdout};

/// A step. Places are taken modulo what is there.
#[derive(Clone, Debug)]
enum Step {
    /// What comes next in the text.
    Next(usize),
    /// A chunk of the text from anywhere, so also one sent twice, early, or partly known.
    Chunk(usize, usize),
    /// The same with one byte that is not the text's.
    Forged(usize, usize, usize),
    /// A process that is killed while it writes what comes next.
    Torn(usize),
    Read(usize, usize),
    Reopen,
}

fn step() -> impl Strategy<Value = Step> {
    let (place, length) = (0..400_usize, 0..60_usize);
    prop_oneof![
        6 => length.clone().prop_map(Step::Next),
        5 => (place.clone(), length.clone()).prop_map(|(at, length)| Step::Chunk(at, length)),
        2 => (place.clone(), 1..60_usize, 0..60_usize).prop_map(|(at, length, wrong)| Step::Forged(at, length, wrong)),
        1 => length.clone().prop_map(Step::Torn),
        2 => (place, length).prop_map(|(at, length)| Step::Read(at, length)),
        1 => Just(Step::Reopen),
    ]
}

fn text() -> Vec<u8> {
    (0..400_u32).map(|n| (n * 7 % 256) as u8).collect()
}

/// What an append to `stored` has to do.
fn append(stored: &mut Vec<u8>, offset: usize, bytes: &[u8]) -> Result<u64, (&'static str, u64)> {
    if offset > stored.len() {
        return Err(("output_gap", stored.len() as u64));
    }
    for (index, byte) in bytes.iter().enumerate() {
        if let Some(known) = stored.get(offset + index)
            && known != byte
        {
            return Err(("output_fork", (offset + index) as u64));
        }
    }
    let known = (stored.len() - offset).min(bytes.len());
    stored.extend_from_slice(&bytes[known..]);
    Ok(stored.len() as u64)
}

fn outcome(result: Result<u64, OutputError>) -> Result<u64, (&'static str, u64)> {
    result.map_err(|error| match &error {
        OutputError::Gap { expected } => (error.code(), *expected),
        OutputError::Fork { offset } => (error.code(), *offset),
        OutputError::Corrupt { .. } | OutputError::Unavailable { .. } => panic!("{error}"),
    })
}

async fn play(steps: Vec<Step>) {
    let directory = tempfile::tempdir().unwrap();
    let mut output = FileOutput::open(directory.path()).unwrap();
    let text = text();
    let mut stored = Vec::new();
    for step in steps {
        let end = stored.len();
        match step {
            Step::Next(length) => {
                let chunk = text[end..(end + length).min(text.len())].to_vec();
                let expected = append(&mut stored, end, &chunk);
                let actual = output.append(stdout(), end as u64, chunk).await;
                assert_eq!(outcome(actual), expected);
            }
            Step::Chunk(at, length) => {
                let chunk = text[at..(at + length).min(text.len())].to_vec();
                let expected = append(&mut stored, at, &chunk);
                let actual = output.append(stdout(), at as u64, chunk).await;
                assert_eq!(outcome(actual), expected);
            }
            Step::Forged(at, length, wrong) => {
                let mut chunk = text[at..(at + length).min(text.len())].to_vec();
                let wrong = wrong % chunk.len();
                chunk[wrong] ^= 0x80;
                // Where it would be taken for the text it stays out: later steps go on with the text.
                if at <= end && at + wrong >= end {
                    continue;
                }
                let expected = append(&mut stored, at, &chunk);
                assert!(expected.is_err());
                let actual = output.append(stdout(), at as u64, chunk).await;
                assert_eq!(outcome(actual), expected);
            }
            Step::Torn(length) => {
                if end == 0 {
                    continue;
                }
                let torn = &text[end..(end + length).min(text.len())];
                let path = directory.path().join(run().to_string()).join("1.stdout");
                let mut file = std::fs::OpenOptions::new().append(true).open(path).unwrap();
                std::io::Write::write_all(&mut file, torn).unwrap();
                stored.extend_from_slice(torn);
                output = FileOutput::open(directory.path()).unwrap();
            }
            Step::Read(at, length) => {
                let from = at.min(end);
                let expected = OutputPart {
                    bytes: stored[from..(from + length).min(end)].to_vec(),
                    total: end as u64,
                };
                let actual = output.read(stdout(), at as u64, length).await.unwrap();
                assert_eq!(actual, expected);
            }
            Step::Reopen => output = FileOutput::open(directory.path()).unwrap(),
        }
        let part = output.read(stdout(), 0, usize::MAX).await.unwrap();
        assert_eq!(part.bytes, stored);
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 96, ..ProptestConfig::default() })]

    #[test]
    fn any_history_of_appends_is_that_of_the_model(steps in prop::collection::vec(step(), 1..60)) {
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        runtime.block_on(play(steps));
    }

    /// However it is cut, repeated and shuffled: sent until nothing is missing, it is the text.
    #[test]
    fn a_text_arrives_in_any_order(
        cuts in prop::collection::vec(0..400_usize, 0..20),
        order in prop::collection::vec(any::<prop::sample::Index>(), 1..30),
    ) {
        let text = text();
        let mut cuts = cuts;
        cuts.extend([0, text.len()]);
        cuts.sort_unstable();
        let chunks: Vec<(usize, usize)> = cuts.windows(2).map(|pair| (pair[0], pair[1])).collect();
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        runtime.block_on(async {
            let directory = tempfile::tempdir().unwrap();
            let output = FileOutput::open(directory.path()).unwrap();
            let mut end = 0;
            for index in order {
                let (from, to) = *index.get(&chunks);
                let result = output.append(stdout(), from as u64, text[from..to].to_vec()).await;
                if from <= end {
                    end = end.max(to);
                    assert_eq!(outcome(result), Ok(end as u64));
                } else {
                    assert_eq!(outcome(result), Err(("output_gap", end as u64)));
                }
            }
            // What a sender does that was told where to go on from.
            while end < text.len() {
                let next = chunks.iter().find(|(_, to)| *to > end).unwrap();
                let sent = text[next.0..next.1].to_vec();
                end = usize::try_from(output.append(stdout(), next.0 as u64, sent).await.unwrap()).unwrap();
            }
            let part = output.read(stdout(), 0, usize::MAX).await.unwrap();
            assert_eq!(part.bytes, text);
        });
    }
}
