//! The data directory and the identity of the machine.

use super::info::codes;

codes! {
    data_directory "The data directory cannot be used" {
        "The data directory or something in it cannot be made, read or written."
        next "Mend its permissions, or set DOGWATCH_HOME to another directory."
    }
    already_running "Another process uses this data directory" {
        "A data directory belongs to one control plane at a time, and another process holds its lock."
        next "Use that one, wait for it, stop it with `dogwatch down`, or use another DOGWATCH_HOME."
    }
    no_data "There are no jobs yet" {
        "The data directory holds no store, because nothing was ever submitted there."
        next "Submit a job with `dogwatch run`, or set DOGWATCH_HOME to the directory you mean."
    }
    machine_identity "The identity of this machine cannot be read" {
        "machine.json is damaged or may not be read. It is never replaced by itself, because leases are bound to it."
        next "Mend the file or its permissions; remove it only if no run of this machine is under way."
    }
    signing_key "The signing key cannot be used" {
        "The key that seals bundles is missing, damaged, or readable by others. Without it no evidence can be sealed."
        next "Mend `<data>/keys` as the message says, then retry."
    }
    trusted_keys "The trusted keys cannot be read" {
        "A file in `<data>/trusted-keys` is no public key, or the directory cannot be read."
        next "Mend or remove the file that the message names."
    }
    key_unusable "A public key cannot be used" {
        "A key given for checking is no Ed25519 public key in PEM, or cannot be read."
        next "Give public keys in PEM, such as those in `<data>/trusted-keys`."
    }
    project_link "The identity of the project cannot be read" {
        "`.git/dogwatch/link/project.json` is damaged or may not be read. It is never replaced by itself."
        next "Mend the file or its permissions; every checkout of the repository shares it."
    }
}
