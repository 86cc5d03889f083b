//! Folders that are not ours are refused, and left as they were.

use std::{fs, os::unix::fs::MetadataExt as _, path::Path};

use lanyard::db::embedded::{EmbeddedError, start};

use super::{Place, options, started};

/// Names, owners, modes, times and contents of a tree.
fn picture(dir: &Path) -> Vec<String> {
    let mut lines = Vec::new();
    let meta = fs::symlink_metadata(dir).unwrap();
    lines.push(format!(
        "{} {:o} {} {}",
        dir.display(),
        meta.mode(),
        meta.uid(),
        meta.mtime_nsec()
    ));
    if meta.is_dir() {
        let mut entries: Vec<_> = fs::read_dir(dir)
            .unwrap()
            .map(|e| e.unwrap().path())
            .collect();
        entries.sort();
        lines.extend(entries.iter().flat_map(|entry| picture(entry)));
    } else {
        lines.push(String::from_utf8_lossy(&fs::read(dir).unwrap()).into_owned());
    }
    lines
}

fn foreign(place: &Place) -> std::path::PathBuf {
    let dir = place.path.join("foreign");
    fs::create_dir_all(dir.join("base/1")).unwrap();
    fs::write(dir.join("PG_VERSION"), "15\n").unwrap();
    fs::write(dir.join("postmaster.pid"), "1\n").unwrap();
    dir
}

fn refused_untouched(base: &Path, watched: &Path) {
    let before = picture(watched);
    let answer = start(&options(base));
    assert!(
        matches!(answer, Err(EmbeddedError::NotOurs { .. })),
        "{answer:?}"
    );
    assert_eq!(picture(watched), before);
}

#[test]
fn a_data_folder_that_we_did_not_make_is_refused_untouched() {
    let place = Place::new();
    let foreign = foreign(&place);
    refused_untouched(&foreign, &foreign);
}

#[test]
fn a_file_in_place_of_the_folder_is_refused_untouched() {
    let place = Place::new();
    let file = place.path.join("file");
    fs::write(&file, "mine").unwrap();
    refused_untouched(&file, &file);
}

#[test]
fn a_link_from_our_folder_to_a_foreign_one_is_refused_untouched() {
    let place = Place::new();
    let foreign = foreign(&place);
    started(&place).stop();
    let base = place.options().base;
    fs::rename(base.join("data"), place.path.join("away")).unwrap();
    std::os::unix::fs::symlink(&foreign, base.join("data")).unwrap();
    refused_untouched(&base, &foreign);
}

#[test]
fn an_empty_folder_of_ours_is_taken() {
    let place = Place::new();
    fs::create_dir(place.options().base).unwrap();
    started(&place).stop();
}

#[test]
fn data_of_a_major_version_that_is_not_installed_is_refused_by_name() {
    let place = Place::new();
    started(&place).stop();
    let version = place.options().base.join("data/PG_VERSION");
    fs::write(&version, "9\n").unwrap();
    let answer = start(&place.options());
    let said = answer.unwrap_err().to_string();
    assert!(
        said.contains("made by PostgreSQL 9, which is not installed"),
        "{said}"
    );
    assert!(said.contains("Install postgresql-9"), "{said}");
}

#[test]
fn without_server_programs_the_message_says_what_to_install() {
    let place = Place::new();
    let mut options = place.options();
    options.bin = Some(place.path.clone());
    let said = start(&options).unwrap_err().to_string();
    assert!(said.contains("apt-get install postgresql"), "{said}");
    assert!(said.contains("DATABASE_URL"), "{said}");
}
