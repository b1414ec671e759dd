//! Calls that differ between operating systems. Everything here works relative to an open directory and never follows a link.

#[path = "linux_layers.rs"]
mod layers;
#[path = "unix.rs"]
mod system;

pub(crate) use layers::{
    attribute, attributes, boot_id, create_whiteout, give_to, open_beneath, remove_attribute,
    set_attribute, set_modified,
};

pub(crate) use system::{
    EntryKind, FileIdentity, Metadata, chmod_own, create_directory, create_file, create_symlink,
    entries, metadata_at, metadata_of, open_directory, open_file, open_foreign_file, open_root,
    read_link, remove_directory, remove_file, rename_at, rename_new, resident_bytes,
};
