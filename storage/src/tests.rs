use super::*;

fn run<T>(test: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(test)
}

/// One on a disk and one in memory.
fn storages() -> Vec<(Storage, Option<tempfile::TempDir>)> {
    let folder = tempfile::tempdir().unwrap();
    let url = format!("file://{}/new/folder", folder.path().display());
    let on_disk = Storage::open(&url, Settings::default()).unwrap();
    vec![(on_disk, Some(folder)), (Storage::open("memory:", Settings::default()).unwrap(), None)]
}

#[test]
fn an_object_is_created_once() {
    for (storage, _folder) in storages() {
        run(async {
            assert_eq!(storage.create("a/b/1", Bytes::from_static(b"one")).await.unwrap(), Created::New);
            assert_eq!(storage.create("a/b/1", Bytes::from_static(b"two")).await.unwrap(), Created::Exists);
            storage.make_safe("a/b/1").await.unwrap();
            assert_eq!(storage.read("a/b/1").await.unwrap().as_deref(), Some(b"one".as_slice()));
            storage.delete("a/b/1").await.unwrap();
            assert_eq!(storage.create("a/b/1", Bytes::from_static(b"two")).await.unwrap(), Created::New);
        });
    }
}

#[test]
fn of_many_that_create_an_object_one_succeeds() {
    for (storage, _folder) in storages() {
        run(async {
            let create = |number: u8| {
                let storage = storage.clone();
                tokio::spawn(async move { storage.create("x", Bytes::from(vec![number])).await.unwrap() })
            };
            let mut new = 0;
            for created in (0..50).map(create).collect::<Vec<_>>() {
                new += usize::from(created.await.unwrap() == Created::New);
            }
            assert_eq!(new, 1);
        });
    }
}

#[test]
fn what_is_written_is_read_in_whole_and_in_parts_until_it_is_deleted() {
    for (storage, _folder) in storages() {
        run(async {
            let parts = ["to be ", "or not ", "to be"].map(|part| Bytes::from_static(part.as_bytes()));
            storage.write("a/file", parts.to_vec()).await.unwrap();
            assert_eq!(storage.length("a/file").await.unwrap(), Some(18));
            let ranges = storage.read_ranges("a/file", &[6..8, 0..2, 13..18]).await.unwrap();
            assert_eq!(ranges, ["or", "to", "to be"].map(|part| Bytes::from_static(part.as_bytes())));
            storage.write("a/file", vec![Bytes::from_static(b"over")]).await.unwrap();
            assert_eq!(storage.read("a/file").await.unwrap().as_deref(), Some(b"over".as_slice()));
            for _ in 0..2 {
                storage.delete("a/file").await.unwrap();
                assert_eq!(storage.read("a/file").await.unwrap(), None);
                assert_eq!(storage.length("a/file").await.unwrap(), None);
            }
            let error = storage.read_ranges("a/file", &[0..1, 2..3]).await.unwrap_err().to_string();
            assert!(error.contains("`a/file` in `"), "{error}");
        });
    }
}

#[test]
fn folders_are_listed_and_go_with_their_last_object() {
    for (storage, folder) in storages() {
        run(async {
            for path in ["jobs/b/2", "jobs/b/1", "jobs/a/1", "jobs/x"] {
                storage.create(path, Bytes::new()).await.unwrap();
            }
            assert_eq!(storage.folders("jobs").await.unwrap(), ["a", "b"]);
            assert_eq!(storage.objects("jobs").await.unwrap(), ["x"]);
            assert_eq!(storage.objects("jobs/b").await.unwrap(), ["1", "2"]);
            assert!(storage.objects("none").await.unwrap().is_empty());
            storage.delete("jobs/a/1").await.unwrap();
            assert_eq!(storage.folders("jobs").await.unwrap(), ["b"]);
        });
        if let Some(folder) = folder {
            assert!(!folder.path().join("new/folder/jobs/a").exists());
        }
    }
}

#[test]
fn addresses_that_cannot_be_used_are_named() {
    let file = tempfile::NamedTempFile::new().unwrap();
    let below_a_file = format!("file://{}/folder", file.path().display());
    for url in ["relative/folder", "file://relative", "s3://bucket", "", below_a_file.as_str()] {
        let error = Storage::open(url, Settings::default()).unwrap_err().to_string();
        assert!(error.contains(&format!("`{url}` cannot be used: ")), "{error}");
    }
}

#[test]
fn who_gets_no_place_in_time_hears_it() {
    run(async {
        let settings = Settings { at_once: 1, timeout: Duration::from_millis(20) };
        let storage = Storage::open("memory:", settings).unwrap();
        let place = storage.0.places.acquire().await.unwrap();
        let error = storage.read("x").await.unwrap_err();
        assert!(matches!(&error, StorageError::TimedOut { path, .. } if path == "x"), "{error}");
        drop(place);
        assert_eq!(storage.read("x").await.unwrap(), None);
    });
}
