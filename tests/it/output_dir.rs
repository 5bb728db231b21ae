//! A directory of results: what may be in it, and what is left of it whatever comes between.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};
use std::thread;
use std::time::Duration;

use hooked_gpt2::Error;
use hooked_gpt2::error::FileError;
use hooked_gpt2::report::OutputDir;
use rand::{Rng, SeedableRng};
use sha2::{Digest, Sha256};

use crate::support::{Killed, names, this_test};

const LIST: &str = "hooked-gpt2.sha256";

/// The results of a run: one of them under a name that other runs do not have.
fn write(out: &OutputDir, run: usize) -> hooked_gpt2::Result<()> {
    let content = format!("{run}\n").repeat(3000);
    let only_here = format!("only_{run}.csv");
    out.write([("a.csv", &content), ("b.csv", &content), (&only_here, &content)])
}

/// The runs whose results are there, and whether they are all there, as the list says.
fn found(directory: &Path) -> (BTreeSet<usize>, bool) {
    let run_of = |path: &Path| -> usize {
        let content = fs::read_to_string(path).unwrap();
        let run = content.lines().next().unwrap_or_else(|| panic!("{path:?} is empty")).to_owned();
        assert!(content == format!("{run}\n").repeat(3000), "{path:?} is not whole");
        run.parse().unwrap()
    };
    let results = names(directory).into_iter().filter(|name| name.ends_with(".csv"));
    let runs = results.map(|name| run_of(&directory.join(name))).collect();
    let Ok(list) = fs::read_to_string(directory.join(LIST)) else { return (runs, false) };
    assert_eq!(list.lines().count(), 3);
    for line in list.lines() {
        let (digest, name) = line.split_once("  ").unwrap();
        let content = fs::read(directory.join(name)).unwrap();
        assert_eq!(digest, format!("{:x}", Sha256::digest(content)));
    }
    (runs, true)
}

/// What the process that some tests start does: writes the results of these runs in turn.
#[test]
#[ignore = "needs a test that starts it"]
fn writes_in_turn() {
    let Ok(path) = std::env::var("WRITTEN_IN_TURN") else { return };
    let runs = std::env::var("RUNS").unwrap();
    let runs: Vec<usize> = runs.split(' ').map(|run| run.parse().unwrap()).collect();
    let turns = std::env::var("TURNS").map_or(usize::MAX, |turns| turns.parse().unwrap());
    let out = OutputDir::create(path).unwrap();
    for &run in runs.iter().cycle().take(turns) {
        write(&out, run).unwrap();
    }
}

fn writer(path: &Path, runs: &str) -> Command {
    let mut command = this_test("output_dir::writes_in_turn");
    command.env("WRITTEN_IN_TURN", path).env("RUNS", runs);
    command
}

#[test]
fn there_are_never_results_of_two_runs_however_a_run_ends() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path();
    let own = path.join("notes.txt");
    fs::write(&own, "a user's own").unwrap();
    let mut random = rand_chacha::ChaCha8Rng::seed_from_u64(2);
    for _ in 0..20 {
        let writer = Killed(writer(path, "1 2 3").spawn().unwrap());
        let started = || path.join(LIST).metadata().and_then(|list| list.modified()).ok();
        let before = started();
        while started() == before {
            thread::sleep(Duration::from_millis(1));
        }
        thread::sleep(Duration::from_micros(random.random_range(0..60_000)));
        drop(writer);
        let (runs, whole) = found(path);
        assert!(runs.len() <= 1, "{runs:?}");
        assert!(!whole || names(path).iter().filter(|name| name.ends_with(".csv")).count() == 3);
    }
    // A run that ends as it should clears up.
    write(&OutputDir::create(path).unwrap(), 4).unwrap();
    assert_eq!(found(path), (BTreeSet::from([4]), true));
    let mut left = names(path);
    // The file of a probe that was killed.
    left.retain(|name| !name.ends_with(".partial") || path.join(name).is_dir());
    assert_eq!(left, ["a.csv", "b.csv", LIST, "notes.txt", "only_4.csv"]);
    assert_eq!(fs::read_to_string(own).unwrap(), "a user's own");
}

#[test]
fn of_two_programs_that_write_at_once_one_has_its_results_there_in_the_end() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path();
    let writers = ["1 2", "2 3"]
        .map(|runs| writer(path, runs).env("TURNS", "50").stderr(Stdio::piped()).spawn().unwrap());
    for writer in writers {
        let output = writer.wait_with_output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    }
    let (runs, whole) = found(path);
    assert!(runs.len() == 1 && whole, "{runs:?}");
    assert_eq!(names(path).len(), 4, "{:?}", names(path));
}

#[test]
fn results_replace_those_of_the_earlier_run_and_nothing_that_is_the_users() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path();
    let out = OutputDir::create(path).unwrap();
    fs::write(path.join("notes.txt"), "own").unwrap();
    write(&out, 1).unwrap();
    out.write([("a.csv", "1"), ("c.csv", "1"), ("d.csv", "1")]).unwrap();
    assert_eq!(names(path), ["a.csv", "c.csv", "d.csv", LIST, "notes.txt"]);
    fs::write(path.join("d.csv"), "changed by hand").unwrap();
    out.write([("a.csv", "2")]).unwrap();
    assert_eq!(names(path), ["a.csv", "d.csv", LIST, "notes.txt"]);
    assert_eq!(fs::read_to_string(path.join("a.csv")).unwrap(), "2");
    let digest = format!("{:x}  a.csv\n", Sha256::digest("2"));
    assert_eq!(fs::read_to_string(path.join(LIST)).unwrap(), digest);
}

/// The list of what it was taking away, or of what it was putting there, is still where it kept that.
#[test]
fn what_a_run_left_that_was_killed_half_way_goes_with_the_next_one() {
    for kept_as in [LIST, "hooked-gpt2.sha256.earlier"] {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path();
        let out = OutputDir::create(path).unwrap();
        write(&out, 1).unwrap();
        let partial = path.join(".hooked-gpt2-killed.partial");
        fs::create_dir(&partial).unwrap();
        fs::rename(path.join(LIST), partial.join(kept_as)).unwrap();
        write(&out, 2).unwrap();
        assert_eq!(names(path), ["a.csv", "b.csv", LIST, "only_2.csv"]);
    }
}

#[test]
fn a_name_that_is_not_one_of_a_file_inside_is_refused() {
    let parent = tempfile::tempdir().unwrap();
    let path = parent.path().join("results");
    let out = OutputDir::create(&path).unwrap();
    write(&out, 1).unwrap();
    let before = (names(parent.path()), names(&path));
    let absolute = parent.path().join("x");
    for name in [
        "",
        ".",
        "..",
        "../x",
        "x/../../x",
        "x/y",
        "./x",
        "x/",
        "x\\y",
        "c:x",
        "x\ny",
        "x\0",
        LIST,
        "hooked-gpt2.sha256.earlier",
        ".hooked-gpt2-x.partial",
        absolute.to_str().unwrap(),
        "twice",
    ] {
        let error = out.write([("twice", ""), (name, "")]).unwrap_err();
        assert!(
            matches!(&error, Error::File(FileError::ResultName { given }) if given == name),
            "{name:?}: {error}"
        );
        assert!(!error.to_string().contains('\n'));
    }
    assert_eq!((names(parent.path()), names(&path)), before);
    assert_eq!(found(&path), (BTreeSet::from([1]), true));
}

#[test]
fn a_list_that_names_files_elsewhere_removes_none_of_them() {
    let parent = tempfile::tempdir().unwrap();
    let path = parent.path().join("results");
    let out = OutputDir::create(&path).unwrap();
    let outside = parent.path().join("x");
    fs::write(&outside, "dear").unwrap();
    let digest = format!("{:x}", Sha256::digest("dear"));
    let list = format!("{digest}  ../x\n{digest}  {}\n", outside.display());
    fs::write(path.join(LIST), list).unwrap();
    out.write([("a.csv", "1")]).unwrap();
    assert_eq!(fs::read_to_string(outside).unwrap(), "dear");
}

#[test]
fn an_empty_path_is_no_directory() {
    assert!(matches!(OutputDir::create(""), Err(Error::File(FileError::NoDirectory))));
}

#[test]
fn a_result_that_cannot_be_put_in_its_place_leaves_the_earlier_ones() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path();
    let out = OutputDir::create(path).unwrap();
    write(&out, 1).unwrap();
    fs::create_dir(path.join("only_2.csv")).unwrap();
    let error = write(&out, 2).unwrap_err().to_string();
    assert_eq!(error, format!("cannot write {}", path.join("only_2.csv").display()));
    fs::remove_dir(path.join("only_2.csv")).unwrap();
    assert_eq!(found(path), (BTreeSet::from([1]), true));
    assert_eq!(names(path).len(), 4);
}

#[cfg(unix)]
mod on_unix {
    use std::os::unix::fs::{PermissionsExt, symlink};

    use super::*;

    #[test]
    fn no_link_inside_is_followed_and_the_directory_may_be_one() {
        let parent = tempfile::tempdir().unwrap();
        let [real, link, outside] = ["real", "link", "x"].map(|name| parent.path().join(name));
        fs::create_dir(&real).unwrap();
        symlink("real", &link).unwrap();
        fs::write(&outside, "dear").unwrap();
        for name in ["a.csv", ".write-probe", ".a.csv.partial"] {
            symlink(&outside, real.join(name)).unwrap();
        }
        let out = OutputDir::create(&link).unwrap();
        write(&out, 1).unwrap();
        assert_eq!(fs::read_to_string(outside).unwrap(), "dear");
        assert!(!real.join("a.csv").is_symlink() && link.is_symlink());
        assert_eq!(found(&real), (BTreeSet::from([1]), true));
    }

    #[test]
    fn a_pipe_in_the_place_of_the_list_is_refused_at_once() {
        let directory = tempfile::tempdir().unwrap();
        let list = directory.path().join(LIST);
        assert!(Command::new("mkfifo").arg(&list).status().unwrap().success());
        let out = OutputDir::create(directory.path()).unwrap();
        let error = write(&out, 1).unwrap_err();
        assert!(matches!(&error, Error::File(FileError::Write { path, .. }) if *path == list));
        assert_eq!(names(directory.path()), [LIST]);
    }

    #[test]
    fn results_have_the_permissions_of_any_new_file_or_of_those_that_they_replace() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path();
        let mode = |name| fs::metadata(path.join(name)).unwrap().permissions().mode() & 0o7777;
        fs::write(path.join("ordinary"), "").unwrap();
        let out = OutputDir::create(path).unwrap();
        write(&out, 1).unwrap();
        assert_eq!([mode("a.csv"), mode(LIST)], [mode("ordinary"); 2]);
        fs::set_permissions(path.join("a.csv"), fs::Permissions::from_mode(0o640)).unwrap();
        write(&out, 2).unwrap();
        assert_eq!([mode("a.csv"), mode("b.csv")], [0o640, mode("ordinary")]);
    }

    /// No file may grow beyond some blocks: what comes of that is what comes of a full disk.
    #[test]
    fn a_full_disk_is_noticed_before_the_work_begins_and_harms_no_earlier_result() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path();
        write(&OutputDir::create(path).unwrap(), 1).unwrap();
        let writer = writer(path, "2");
        let output = Command::new("sh")
            .args(["-c", r#"trap "" XFSZ; ulimit -f 100; exec "$0" "$@""#])
            .arg(writer.get_program())
            .args(writer.get_args())
            .envs(writer.get_envs().filter_map(|(name, value)| Some((name, value?))))
            .output()
            .unwrap();
        assert!(!output.status.success());
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        let expected = format!("cannot write {}: File too large", path.display());
        assert!(said.contains(&expected), "{said}");
        assert_eq!(found(path), (BTreeSet::from([1]), true));
        assert_eq!(names(path).len(), 4);
    }
}
