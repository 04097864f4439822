use millstream_crds::read_manifest;
use millstream_planner::resolved::resolve;
use millstream_storage::Settings;

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

fn open(url: &str) -> JobStore {
    JobStore::new(Storage::open(url, Settings::default()).unwrap())
}

async fn submit(store: &JobStore, job: JobId, nonce: &str, at_ms: i64) -> JobRecords {
    let mut records = store.begin(job, nonce.to_owned());
    records.append(RecordedEvent::Submitted(Box::new(submission(at_ms)))).await.unwrap();
    records
}

async fn found(store: &JobStore) -> Vec<StoredJob> {
    let (found, unreadable) = store.load().await.unwrap();
    assert!(unreadable.is_empty(), "{unreadable:?}");
    found
}

async fn take_over(store: &JobStore, nonce: &str) -> (JobRecords, Vec<RecordedEvent>) {
    match store.take_over(job(7), nonce.to_owned()).await.unwrap() {
        TakeOver::Leads(records, events) => (records, events),
        other @ (TakeOver::Ended(_) | TakeOver::Gone) => panic!("{other:?}"),
    }
}

fn end() -> JobEnd {
    JobEnd { state: "FINISHED".to_owned(), at_ms: 9, why: None }
}

/// A store on a disk and one in memory.
fn stores() -> Vec<(JobStore, Option<tempfile::TempDir>)> {
    let folder = tempfile::tempdir().unwrap();
    let on_disk = open(&format!("file://{}/new/folder", folder.path().display()));
    vec![(on_disk, Some(folder)), (open("memory:"), None)]
}

fn publication() -> RecordedEvent {
    let sink = SinkPublication { sink: "out".to_owned(), committables: vec!["{}".to_owned()] };
    RecordedEvent::Publish(Publication { sinks: vec![sink] })
}

#[test]
fn a_jobmaster_that_starts_finds_what_was_submitted_and_what_has_happened_since() {
    for (store, _folder) in stores() {
        run(async {
            let mut first = submit(&store, job(7), "a", 5).await;
            submit(&store, job(8), "a", 4).await;
            first.append(publication()).await.unwrap();
            let found = found(&store).await;
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
            let mut old = submit(&store, job(7), "old", 5).await;
            let (mut new, events) = take_over(&store, "new").await;
            assert_eq!((old.epoch(), new.epoch(), events.len()), (1, 2, 1));
            let refused = old.append(publication()).await.unwrap_err();
            assert!(matches!(refused, StoreError::Fenced { epoch: 2, .. }), "{refused}");
            new.append(publication()).await.unwrap();
            let still_refused = old.append(publication()).await.unwrap_err();
            assert!(matches!(still_refused, StoreError::Fenced { epoch: 2, .. }), "{still_refused}");
            assert_eq!(found(&store).await[0].events, [RecordedEvent::TakenOver {}, publication()]);
        });
    }
}

#[test]
fn a_jobmaster_knows_its_own_record_when_the_answer_was_lost() {
    run(async {
        let store = open("memory:");
        let mut records = submit(&store, job(7), "own", 5).await;
        let record = Record { number: 2, epoch: 1, nonce: "own".to_owned(), event: publication() };
        assert_eq!(store.create(job(7), &record).await.unwrap(), Created::New);
        records.append(publication()).await.unwrap();
        let record = Record { number: 3, ..record };
        assert_eq!(store.create(job(7), &record).await.unwrap(), Created::New);
        let error = records.append(RecordedEvent::Ended(end())).await.unwrap_err().to_string();
        assert!(error.contains("this jobmaster wrote something else"), "{error}");
        assert_eq!(found(&store).await[0].events, [publication(), publication()], "none was written twice");
    });
}

#[test]
fn a_jobmaster_that_was_replaced_sees_it_when_it_looks() {
    for (store, _folder) in stores() {
        run(async {
            let old = submit(&store, job(7), "old", 5).await;
            old.still_leads().await.unwrap();
            let (new, _) = take_over(&store, "new").await;
            new.still_leads().await.unwrap();
            let refused = old.still_leads().await.unwrap_err();
            assert!(matches!(refused, StoreError::Fenced { epoch: 2, .. }), "{refused}");
        });
    }
}

#[test]
fn a_job_that_has_ended_or_is_gone_is_not_taken_over() {
    for (store, _folder) in stores() {
        run(async {
            let mut records = submit(&store, job(7), "a", 5).await;
            records.append(RecordedEvent::Ended(end())).await.unwrap();
            let taken = store.take_over(job(7), "b".to_owned()).await.unwrap();
            assert!(matches!(&taken, TakeOver::Ended(how) if *how == end()), "{taken:?}");
            assert_eq!(found(&store).await[0].events.len(), 1, "nothing was written");
            store.delete(job(7)).await.unwrap();
            let taken = store.take_over(job(7), "b".to_owned()).await.unwrap();
            assert!(matches!(taken, TakeOver::Gone), "{taken:?}");
            assert!(found(&store).await.is_empty());
        });
    }
}

#[test]
fn a_deleted_job_leaves_no_folder() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(&format!("file://{}", folder.path().display()));
    run(async {
        submit(&store, job(7), "a", 5).await;
        store.delete(job(7)).await.unwrap();
    });
    assert!(!folder.path().join(format!("jobs/{}", job(7))).exists());
}

#[test]
fn what_is_left_of_a_deleted_job_is_no_job() {
    for (store, _folder) in stores() {
        run(async {
            let mut records = submit(&store, job(7), "a", 5).await;
            records.append(publication()).await.unwrap();
            store.0.delete(&record_path(job(7), 1)).await.unwrap();
            assert!(found(&store).await.is_empty());
            assert!(store.numbers(job(7)).await.unwrap().is_empty(), "and it was deleted");
        });
    }
}

#[test]
fn a_damaged_record_is_named_and_keeps_nobody_from_the_others() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(&format!("file://{}", folder.path().display()));
    run(async {
        submit(&store, job(7), "a", 5).await;
        let path = folder.path().join(format!("jobs/{}/00000000000000000001.json", job(7)));
        std::fs::write(path, b"{\"number\": 1").unwrap();
        submit(&store, job(8), "a", 5).await;
        let (readable, unreadable) = store.load().await.unwrap();
        assert_eq!(readable.len(), 1);
        let [(of, error)] = unreadable.as_slice() else { panic!("{unreadable:?}") };
        assert_eq!(*of, job(7));
        assert!(error.to_string().contains("00000000000000000001.json"), "{error}");
    });
}
