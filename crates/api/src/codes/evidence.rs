//! What `verify` finds in a bundle, and what looking at evidence can meet.

use super::info::codes;

codes! {
    bundle_invalid "The bundle does not verify" {
        "The evidence of a run is not what was sealed."
        next "`dogwatch verify` names every file and record that is wrong."
    }
    bundle_incomplete(409) "The bundle is not complete" {
        "The run cannot be completed, because files that its manifest names have not arrived."
        next "Send the files that are named, then complete the run again."
    }
    no_bundle "There is no bundle" {
        "The directory that was given does not exist."
        next "Give the directory of a bundle, or the id of a run."
    }
    evidence_unreadable "A file of the bundle cannot be read" {
        "The file is there and cannot be read, or it is a link, a pipe or a device where a file should be."
        next "`dogwatch verify` names what is wrong; mend permissions, or restore the bundle."
    }
    capture_damaged "The recorded output is damaged" {
        "The file with an agent's or a gate's output cannot be decoded to its end. What stands before the damage was printed."
        next "Check the bundle with `dogwatch verify`."
    }
    no_turn "There is no such turn" {
        "The run has had fewer turns than the one that was asked for."
        next "`dogwatch runs show` lists the turns."
    }
    no_gate "There is no such gate" {
        "No gate of this name was run on the tree."
        next "Give one of the names in the message."
    }
    no_output "The turn left no output" {
        "The run is over, and nothing was captured for this turn."
        next "`dogwatch runs show` says why."
    }
    run_not_over "The run is still under way" {
        "What was asked for is made at the end of a run."
        next "Wait for its end; `dogwatch runs show` says where it is."
    }
    patch_missing "The patch is gone" {
        "The run left a tree, and its patch is not in the bundle any more."
        next "`dogwatch verify` names what else is wrong; restore the bundle."
    }
    no_patch "The run left no patch" {
        "No turn of the run was completed, so there is no tree to compare."
        next "`dogwatch runs show` says why."
    }
    unreadable "A file or directory could not be read" {
        "Something in the bundle is there and cannot be read, so nothing can be said about it."
        next "Mend its permissions, then verify again."
    }
    unsealed "The bundle is not sealed" {
        "There is no manifest: the run is not over, or its end was never recorded."
        next "`dogwatch runs show` says where the run is; a bundle is sealed at its end."
    }
    unsigned "The bundle is not signed" {
        "There is no attestation, or it has no signature. Whoever changed it could have removed it."
        next "Do not rely on this bundle: restore it from where it came from."
    }
    no_trusted_key "There is no key to check with" {
        "Neither --key nor the directory of trusted keys gave a public key. Keys inside a bundle are never believed."
        next "Give the public key of whoever made the bundle with --key FILE."
    }
    untrusted_key "A signature is by a key that is not trusted" {
        "The bundle is signed by a key that is not among those given."
        next "Find out whose key it is; give it with --key FILE only if you trust it."
    }
    bad_signature "A signature is wrong" {
        "The signature does not belong to what is signed: one of the two was changed."
        next "Do not rely on this bundle: restore it from where it came from."
    }
    bad_signature_list "The list of signatures is wrong" {
        "There are too many signatures, or two by one key."
        next "Do not rely on this bundle: restore it from where it came from."
    }
    envelope_unparsable "The signed file is no envelope" {
        "The attestation or verdict is not a DSSE envelope."
        next "Do not rely on this bundle: restore it from where it came from."
    }
    envelope_not_canonical "The signed file is not spelled as it was written" {
        "The envelope says the same in other bytes, so someone rewrote it."
        next "Restore the file from where it came from."
    }
    wrong_payload_type "The signed file is about something else" {
        "The envelope holds no in-toto statement."
        next "Do not rely on this bundle: restore it from where it came from."
    }
    statement_unparsable "The signed statement cannot be read" {
        "What was signed is no statement about a run."
        next "Use the version of dogwatch that made the bundle, or restore it."
    }
    attestation_mismatch "The statement and the manifest differ" {
        "What was signed is not what the manifest says."
        next "Do not rely on this bundle: restore it from where it came from."
    }
    manifest_unparsable "The manifest cannot be read" {
        "manifest.json is no manifest."
        next "Do not rely on this bundle: restore it from where it came from."
    }
    manifest_version "The manifest is of an unknown version" {
        "Another version of dogwatch made this bundle."
        next "Verify it with the version that made it, or a newer one."
    }
    manifest_not_canonical "The manifest is not spelled as it was written" {
        "manifest.json says the same in other bytes, so someone rewrote it."
        next "Restore the file from where it came from."
    }
    manifest_mismatch "The manifest is not the one that was signed" {
        "The digest of manifest.json is not the one in the attestation."
        next "Do not rely on this bundle: restore it from where it came from."
    }
    digest_mismatch "A file was changed" {
        "The bytes of a file are not those that were sealed."
        next "Do not rely on the file: restore it from where it came from."
    }
    size_mismatch "A file has another length" {
        "A file is longer or shorter than when it was sealed."
        next "Do not rely on the file: restore it from where it came from."
    }
    missing_file "A sealed file is gone" {
        "The manifest names a file that is not there."
        next "Restore the file from where it came from."
    }
    unlisted_file "A file was added" {
        "There is a file that the manifest does not name. Only `reports/` may gain files after the seal."
        next "Find out who put it there; the sealed files are not affected."
    }
    unlisted_directory "A directory was added" {
        "There is a directory that the manifest does not name."
        next "Find out who put it there; the sealed files are not affected."
    }
    not_a_file "Something is not a regular file" {
        "A link, a pipe, a socket or a device stands where a file should."
        next "Do not rely on this bundle: restore it from where it came from."
    }
    too_large "A file is larger than dogwatch writes" {
        "A file exceeds every size it could have been written with, so it was not read."
        next "Do not rely on this bundle: restore it from where it came from."
    }
    hash_mismatch "The contract or profile is another one" {
        "contract.json or profile.json is not the one whose hash the manifest names."
        next "Do not rely on this bundle: restore it from where it came from."
    }
    journal_count "The journal has another number of records" {
        "The journal has more or fewer records than were sealed."
        next "Do not rely on this bundle: restore it from where it came from."
    }
    journal_head "The journal does not end where it was sealed" {
        "The last record of the journal is not the one the manifest names."
        next "Do not rely on this bundle: restore it from where it came from."
    }
    foreign_record "A record belongs to another job" {
        "A record of the journal names another project or job than the manifest."
        next "Do not rely on this bundle: restore it from where it came from."
    }
    no_outcome "The journal has no end" {
        "The last record of the journal does not say how the run ended."
        next "Do not rely on this bundle: restore it from where it came from."
    }
    outcome_mismatch "Journal and manifest differ about the end" {
        "The last record of the journal says something else than the manifest."
        next "Do not rely on this bundle: restore it from where it came from."
    }
    bad_verdict "A verdict is not about this bundle" {
        "A file in `verdicts/` is no verdict, or one about another manifest."
        next "Do not rely on that verdict; the bundle itself is judged by its other findings."
    }
    other_run "It is the bundle of another run" {
        "The bundle is sound in itself, and it belongs to another run than the one asked for."
        next "Find out who exchanged the directory; restore it from where it came from."
    }
    other_manifest "It is not the bundle that was recorded" {
        "The bundle is sound in itself, and its digest is not the one that was recorded when the run ended."
        next "Find out who exchanged the bundle; restore it from where it came from."
    }
    bundle_not_found(404) "There is no bundle of this run" {
        "No runner has sent the server what the run's bundle holds."
        next "Wait until the run is over; a bundle that was never sent is on its machine."
    }
}
