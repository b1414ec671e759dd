//! The contract suites.

mod blobs {
    use dogwatch_blobs::FileBlobs;
    use tempfile::TempDir;

    async fn open() -> (FileBlobs, TempDir) {
        let directory = tempfile::tempdir().unwrap();
        let blobs = FileBlobs::open(directory.path().join("blobs")).unwrap();
        (blobs, directory)
    }

    dogwatch_store::blobs_contract_suite!(open);
}

mod output {
    use dogwatch_blobs::FileOutput;
    use tempfile::TempDir;

    async fn open() -> (FileOutput, TempDir) {
        let directory = tempfile::tempdir().unwrap();
        let output = FileOutput::open(directory.path().join("output")).unwrap();
        (output, directory)
    }

    dogwatch_store::output_contract_suite!(open);
}
