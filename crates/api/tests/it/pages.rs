//! The committed pages are the generated ones.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

use dogwatch_api::codes;

#[test]
fn the_committed_pages_are_the_generated_ones_and_none_is_left_over() {
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/errors");
    let mut generated: BTreeMap<String, String> = codes::ALL
        .iter()
        .map(|info| (format!("{}.md", info.code), codes::page(info)))
        .collect();
    generated.insert("README.md".to_owned(), codes::index());
    if std::env::var_os("DOGWATCH_WRITE_SCHEMAS").is_some() {
        write(&directory, &generated);
    }
    let stale: Vec<&String> = generated
        .iter()
        .filter(|(name, page)| fs::read_to_string(directory.join(name)).ok().as_ref() != Some(page))
        .map(|(name, _)| name)
        .collect();
    assert!(
        stale.is_empty(),
        "pages of {} are out of date: run `cargo xtask schema`: {stale:?}",
        directory.display()
    );
    let left_over: Vec<String> = names(&directory)
        .into_iter()
        .filter(|name| !generated.contains_key(name))
        .collect();
    assert!(
        left_over.is_empty(),
        "pages without a code in the tables: {left_over:?}"
    );
}

fn write(directory: &Path, generated: &BTreeMap<String, String>) {
    fs::create_dir_all(directory).unwrap();
    for name in names(directory) {
        if !generated.contains_key(&name) {
            fs::remove_file(directory.join(name)).unwrap();
        }
    }
    for (name, page) in generated {
        fs::write(directory.join(name), page).unwrap();
    }
}

fn names(directory: &Path) -> BTreeSet<String> {
    fs::read_dir(directory)
        .map(|entries| {
            entries
                .map(|entry| entry.unwrap().file_name().into_string().unwrap())
                .collect()
        })
        .unwrap_or_default()
}
