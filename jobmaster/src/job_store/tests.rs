use millstream_crds::read_manifest;
use millstream_planner::resolved::resolve;

use super::record::{JobEnd, Publication, SinkPublication};
use super::*;

fn submission(at_ms: i64) -> Submission {
    let manifest = "apiVersion: millstream.dev/v1alpha1\nkind: StreamJob\nmetadata:\n  name: x\nspec:\n  program:\n    sql: SELECT 1\n";
    let manifest = read_manifest(manifest).unwrap();
    Submission { program: resolve(&manifest.job, at_ms).unwrap(), at_ms }
}

fn job(bits: u128) -> JobId {
    JobId::from_bits(bits)
}

fn run<T>(test: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(test)
}

/// A store on a disk and one in memory.
fn stores() -> Vec<(JobStore, Option<tempfile::TempDir>)> {
    let folder = tempfile::tempdir().unwrap();
    let on_disk = JobStore::open(&format!("file://{}/new/folder", folder.path().display())).unwrap();
    vec![(on_disk, Some(folder)), (JobStore::open("memory:").unwrap(), None)]
}

fn publication() -> RecordedEvent {
    let sink = SinkPublication { node: 3, committables: vec!["{}".to_owned()] };
    RecordedEvent::Publish(Publication { sinks: vec![sink] })
}

#[test]
fn a_jobmaster_that_starts_finds_what_was_submitted_and_what_has_happened_since() {
    for (store, _folder) in stores() {
        run(async {
            let mut first = store.submit(job(7), "a".to_owned(), submission(5)).await.unwrap();
            store.submit(job(8), "a".to_owned(), submission(4)).await.unwrap();
            first.append(publication()).await.unwrap();
            let found = store.load().await.unwrap();
            assert_eq!(found.iter().map(|job| job.submission.at_ms).collect::<Vec<_>>(), [4, 5], "the oldest first");
            assert_eq!(found[1].job, job(7));
            assert_eq!(found[1].submission, submission(5));
            assert_eq!(found[1].events, [publication()]);
        });
    }
}

#[test]
fn a_jobmaster_that_was_replaced_can_write_nothing_any_more() {
    for (store, _folder) in stores() {
        run(async {
            let mut old = store.submit(job(7), "old".to_owned(), submission(5)).await.unwrap();
            let (mut new, events) = store.take_over(job(7), "new".to_owned()).await.unwrap();
            assert_eq!((old.epoch(), new.epoch(), events.len()), (1, 2, 1));
            let refused = old.append(publication()).await.unwrap_err();
            assert!(matches!(refused, StoreError::Fenced { epoch: 2, .. }), "{refused}");
            new.append(publication()).await.unwrap();
            let still_refused = old.append(publication()).await.unwrap_err();
            assert!(matches!(still_refused, StoreError::Fenced { epoch: 2, .. }), "{still_refused}");
            assert_eq!(store.load().await.unwrap()[0].events, [RecordedEvent::TakenOver {}, publication()]);
        });
    }
}

#[test]
fn a_jobmaster_knows_its_own_record_when_the_answer_was_lost() {
    run(async {
        let store = JobStore::open("memory:").unwrap();
        let mut records = store.submit(job(7), "own".to_owned(), submission(5)).await.unwrap();
        let record = Record { number: 2, epoch: 1, nonce: "own".to_owned(), event: publication() };
        assert!(store.create(job(7), &record).await.unwrap());
        records.append(publication()).await.unwrap();
        records
            .append(RecordedEvent::Ended(JobEnd { state: "FINISHED".to_owned(), at_ms: 9, why: None }))
            .await
            .unwrap();
        assert_eq!(store.load().await.unwrap()[0].events.len(), 2, "the record was not written twice");
    });
}

#[test]
fn what_is_left_of_a_deleted_job_is_no_job() {
    for (store, _folder) in stores() {
        run(async {
            let mut records = store.submit(job(7), "a".to_owned(), submission(5)).await.unwrap();
            records.append(publication()).await.unwrap();
            store.store.delete(&record_path(job(7), 1)).await.unwrap();
            assert!(store.load().await.unwrap().is_empty());
            assert!(store.numbers(job(7)).await.unwrap().is_empty(), "and it was deleted");
        });
    }
}

#[test]
fn a_damaged_record_and_a_wrong_address_are_named() {
    let folder = tempfile::tempdir().unwrap();
    let store = JobStore::open(&format!("file://{}", folder.path().display())).unwrap();
    run(async {
        store.submit(job(7), "a".to_owned(), submission(5)).await.unwrap();
        let path = folder.path().join(format!("jobs/{}/00000000000000000001.json", job(7)));
        std::fs::write(path, b"{\"number\": 1").unwrap();
        let error = store.load().await.unwrap_err().to_string();
        assert!(error.contains("00000000000000000001.json"), "{error}");
    });
    for url in ["relative/folder", "file://relative", "s3://bucket"] {
        let error = JobStore::open(url).unwrap_err().to_string();
        assert!(error.contains(url), "{error}");
    }
}
