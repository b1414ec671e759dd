//! Bringing a base commit into the vault.
//!
//! A pack is made in the checkout and indexed in the vault. A plain `git fetch` would do the same with three more processes, and it
//! would run the sending side under the vault's configuration, where the user's `safe.directory` does not apply.

use std::collections::BTreeSet;
use std::fs;
use std::io::{self, Write as _};
use std::path::Path;
use std::process::Stdio;

use super::open::io_error;
use super::{Vault, VaultError};
use crate::checkout::Checkout;
use crate::git::GitError;
use crate::object_id::ObjectId;

/// The ref that keeps a base commit.
pub(crate) fn base_ref(commit: ObjectId) -> String {
    format!("refs/dogwatch/base/{commit}")
}

impl Vault {
    /// Brings `commit` and its history into the vault. Costs nothing when it is there already.
    ///
    /// The history of a shallow checkout ends where it ends there; of a partial clone, which has history without content, only the
    /// commit itself is taken.
    pub fn fetch_base(&self, checkout: &Checkout, commit: ObjectId) -> Result<(), VaultError> {
        let name = base_ref(commit);
        if self.read_ref(&name)?.is_some() {
            return Ok(());
        }
        // One at a time: two would send each other's objects twice and race on the shallow file.
        let _lock = self.lock()?;
        if self.read_ref(&name)?.is_some() {
            return Ok(());
        }
        let since = self.marker()?;
        let boundary = Boundary::of(checkout, commit)?;
        self.receive(checkout, commit, &boundary)?;
        self.add_shallow(&boundary.cut)?;
        self.command("update-ref")?
            .args(["--no-deref", &name])
            .arg(commit.to_string())
            .run()?;
        self.sync_directories(&since, &name)
    }

    /// Whether the history of some base commit was cut off.
    pub(crate) fn shallow(&self) -> Result<BTreeSet<ObjectId>, VaultError> {
        read_shallow(&self.path().join("shallow"))
    }

    fn receive(
        &self,
        checkout: &Checkout,
        commit: ObjectId,
        boundary: &Boundary,
    ) -> Result<(), VaultError> {
        let mut wanted = Vec::new();
        for cut in &boundary.graft {
            wanted.extend_from_slice(format!("--shallow {cut}\n").as_bytes());
        }
        wanted.extend_from_slice(format!("{commit}\n").as_bytes());
        // Where a history is cut, what one commit has says nothing about its ancestors, so everything is sent.
        if boundary.cut.is_empty() && self.shallow()?.is_empty() {
            let common = self.common_bases(checkout)?;
            if !common.is_empty() {
                wanted.extend_from_slice(b"--not\n");
                wanted.extend(common.iter().flat_map(|id| format!("{id}\n").into_bytes()));
            }
        }
        let mut sender = checkout
            .command("pack-objects")?
            .args(["--revs", "--stdout", "--thin", "--delta-base-offset", "-q"])
            .start(Stdio::piped())?;
        let mut input = sender.take_stdin()?;
        let pack = sender.take_stdout()?;
        let receiver = self
            .command("index-pack")?
            .args(["--stdin", "--fix-thin"])
            .start(pack.into())?;
        let told = input
            .write_all(&wanted)
            .map_err(|source| sender.pipe_error(source));
        drop(input);
        // The sender's reason comes first: a receiver only sees that the pack broke off.
        let sent = sender.finish();
        let received = receiver.finish();
        match sent.and(told) {
            Err(source) if boundary.partial => {
                return Err(VaultError::PartialClone { commit, source });
            }
            other => other?,
        }
        Ok(received?)
    }

    /// The newest bases that the checkout has as well.
    fn common_bases(&self, checkout: &Checkout) -> Result<Vec<ObjectId>, VaultError> {
        const ASKED: &str = "--count=64";
        let ours = self
            .command("for-each-ref")?
            .args([
                ASKED,
                "--sort=-creatordate",
                "--format=%(objectname)",
                "refs/dogwatch/base",
            ])
            .run()?;
        if ours.is_empty() {
            return Ok(Vec::new());
        }
        let theirs = checkout
            .command("cat-file")?
            .arg("--batch-check=%(objectname) %(objecttype)")
            .run_with_input(&ours)?;
        theirs
            .split(|byte| *byte == b'\n')
            .filter_map(|line| line.strip_suffix(b" commit"))
            .map(|id| {
                ObjectId::from_hex(id)
                    .map_err(|error| GitError::unexpected("cat-file", error.to_string()).into())
            })
            .collect()
    }

    fn add_shallow(&self, cut: &BTreeSet<ObjectId>) -> Result<(), VaultError> {
        let known = self.shallow()?;
        if cut.is_subset(&known) {
            return Ok(());
        }
        let path = self.path().join("shallow");
        let text: String = known.union(cut).map(|id| format!("{id}\n")).collect();
        let temporary = self.path().join("shallow.dogwatch");
        fs::File::create(&temporary)
            .and_then(|mut file| {
                file.write_all(text.as_bytes())
                    .and_then(|()| file.sync_all())
            })
            .and_then(|()| fs::rename(&temporary, &path))
            .map_err(io_error("write", &path))
    }
}

/// Where the history of a commit ends before its roots.
struct Boundary {
    /// Commits whose parents will be missing in the vault.
    cut: BTreeSet<ObjectId>,
    /// Those of them at which the sender has to be told to stop.
    graft: BTreeSet<ObjectId>,
    partial: bool,
}

impl Boundary {
    fn of(checkout: &Checkout, commit: ObjectId) -> Result<Self, VaultError> {
        if is_partial(checkout.common_dir()) {
            let only = BTreeSet::from([commit]);
            return Ok(Self {
                cut: only.clone(),
                graft: only,
                partial: true,
            });
        }
        let mut cut = BTreeSet::new();
        let shallow = read_shallow(&checkout.common_dir().join("shallow"))?;
        if !shallow.is_empty() {
            let roots = checkout
                .command("rev-list")?
                .arg("--max-parents=0")
                .arg(commit.to_string())
                .run()?;
            for line in roots
                .split(|byte| *byte == b'\n')
                .filter(|line| !line.is_empty())
            {
                let root = ObjectId::from_hex(line)
                    .map_err(|error| GitError::unexpected("rev-list", error.to_string()))?;
                if shallow.contains(&root) {
                    cut.insert(root);
                }
            }
        }
        Ok(Self {
            cut,
            graft: BTreeSet::new(),
            partial: false,
        })
    }
}

/// A partial clone marks the packs whose neighbours it can ask for.
fn is_partial(common_dir: &Path) -> bool {
    let Ok(packs) = fs::read_dir(common_dir.join("objects/pack")) else {
        return false;
    };
    packs.flatten().any(|entry| {
        entry
            .path()
            .extension()
            .is_some_and(|extension| extension == "promisor")
    })
}

fn read_shallow(path: &Path) -> Result<BTreeSet<ObjectId>, VaultError> {
    let text = match fs::read(path) {
        Ok(text) => text,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(BTreeSet::new()),
        Err(source) => return Err(io_error("read", path)(source)),
    };
    text.split(|byte| *byte == b'\n')
        .filter(|line| !line.is_empty())
        .map(|line| {
            ObjectId::from_hex(line).map_err(|error| {
                io_error("read", path)(io::Error::new(io::ErrorKind::InvalidData, error))
            })
        })
        .collect()
}
