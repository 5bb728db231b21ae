//! Files that are written over: what is left of them, whoever writes and whatever comes between.

use std::any::Any;
use std::path::Path;
use std::process::{Command, Stdio};
use std::thread;
use std::time::Duration;

use hooked_gpt2::hook::{At, Hook, HookRegistry, Site};
use hooked_gpt2::intervention::{Interventions, Scale};
use hooked_gpt2::tch::{Device, Kind, Tensor};
use hooked_gpt2::{Batch, Precision};
use rand::{Rng, SeedableRng};

use crate::support::{Killed, names, tensors_beside, this_test, tiny};

/// Edits whose text and whose tensors both tell which they are.
fn marked(mark: usize) -> Interventions {
    let mut hooks = Interventions::new();
    hooks.scale(At::resid_pre(0), mark as f64).unwrap();
    let vector = |len: i64| Tensor::full([len], mark as f64, (Kind::Double, Device::Cpu));
    hooks.set(At::embed(), &vector(24)).unwrap();
    // So that there is something to write.
    hooks.steer(At::resid_post(7), &vector(3000), 1.0).unwrap();
    hooks
}

/// Which edits lie there; none if text and tensors are not of the same.
fn mark(hooks: &Interventions) -> Option<usize> {
    let edit: &dyn Any = hooks.hooks(0)[0].edit();
    let of_text = edit.downcast_ref::<Scale>().unwrap().factor();
    let (model, batch) = (tiny(Precision::F64), Batch::single([1]).unwrap());
    let outside_blocks = OutsideBlocks(hooks);
    let run = model.run(&batch).hooks(&outside_blocks).capture([Site::embed()]);
    let activations = run.stop_after(Site::embed()).execute().unwrap().activations;
    let of_tensors = activations.get(Site::embed(), 0).unwrap();
    let same = of_tensors.eq(of_text).all().int64_value(&[]) == 1;
    same.then_some(of_text as usize)
}

#[derive(Debug)]
struct OutsideBlocks<'a>(&'a Interventions);

impl HookRegistry for OutsideBlocks<'_> {
    fn hooks(&self, _layer: usize) -> &[Hook] {
        &[]
    }

    fn hooks_outside_blocks(&self) -> &[Hook] {
        self.0.hooks_outside_blocks()
    }

    fn layers(&self) -> Vec<usize> {
        Vec::new()
    }
}

#[track_caller]
fn marked_at(path: &Path) -> usize {
    let hooks = Interventions::load(path).unwrap_or_else(|error| panic!("{error:?}"));
    mark(&hooks).expect("the text of one save and the tensors of another")
}

/// What the process that [`saver`] starts does: saves edits with these marks in turn, without end.
#[test]
#[ignore = "needs a test that starts it"]
fn saves_in_turn() {
    let Ok(path) = std::env::var("SAVED_IN_TURN") else { return };
    let marks = std::env::var("MARKS").unwrap();
    let marks: Vec<usize> = marks.split(' ').map(|mark| mark.parse().unwrap()).collect();
    let turns = std::env::var("TURNS").map_or(usize::MAX, |turns| turns.parse().unwrap());
    for &mark in marks.iter().cycle().take(turns) {
        marked(mark).save(&path).unwrap();
    }
}

/// This test's own program, to do what [`saves_in_turn`] says.
fn saver(path: &Path, marks: &str) -> Command {
    let mut command = this_test("saving::saves_in_turn");
    command.env("SAVED_IN_TURN", path).env("MARKS", marks);
    command
}

#[test]
fn a_save_that_is_killed_leaves_the_old_edits_or_the_new_ones() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("hooks.toml");
    marked(1).save(&path).unwrap();
    let mut random = rand_chacha::ChaCha8Rng::seed_from_u64(1);
    let mut seen = [false; 4];
    for _ in 0..KILLS {
        let saver = Killed(saver(&path, "1 2 3").spawn().unwrap());
        let before = std::fs::metadata(&path).unwrap().modified().unwrap();
        while std::fs::metadata(&path).unwrap().modified().unwrap() == before {
            thread::sleep(Duration::from_millis(1));
        }
        thread::sleep(Duration::from_micros(random.random_range(0..60_000)));
        drop(saver);
        seen[marked_at(&path)] = true;
    }
    assert!(seen.iter().filter(|&&seen| seen).count() > 1, "no save but the first was reached");
    // What was left lying is gone after a save that nobody kills, but for what had no name yet.
    marked(2).save(&path).unwrap();
    let left: Vec<String> = names(directory.path());
    let whole = left.iter().filter(|name| !name.ends_with(".partial"));
    assert_eq!(whole.count(), 2, "{left:?}");
}

/// A hundred were tried; each takes as long as libtorch needs to start.
const KILLS: usize = 20;

#[test]
fn who_reads_while_two_threads_and_two_processes_save_gets_the_edits_of_one_of_them() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("hooks.toml");
    marked(1).save(&path).unwrap();
    let processes = ["3 4", "4 5"].map(|marks| {
        saver(&path, marks).env("TURNS", "200").stderr(Stdio::piped()).spawn().unwrap()
    });
    let threads = [1, 2].map(|mark| {
        let path = path.clone();
        thread::spawn(move || (0..200).try_for_each(|_| marked(mark).save(&path)))
    });
    let mut reads = 0;
    let mut all_saved = false;
    while !all_saved {
        all_saved = threads.iter().all(thread::JoinHandle::is_finished);
        assert!((1..=5).contains(&marked_at(&path)));
        reads += 1;
    }
    for saved in threads {
        saved.join().unwrap().unwrap();
    }
    for process in processes {
        let output = process.wait_with_output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        assert!((1..=5).contains(&marked_at(&path)));
    }
    assert!(reads > 10, "{reads}");
    assert_eq!(names(directory.path()).len(), 2, "{:?}", names(directory.path()));
}

#[test]
fn tensors_of_another_save_are_refused_by_name() {
    let directory = tempfile::tempdir().unwrap();
    let [one, two] = ["one", "two"].map(|name| {
        let directory = directory.path().join(name);
        std::fs::create_dir(&directory).unwrap();
        directory.join("hooks.toml")
    });
    marked(1).save(&one).unwrap();
    marked(2).save(&two).unwrap();
    let [of_one, of_two] = [&one, &two].map(|path| tensors_beside(path));
    // As a colleague has it who got the text and the tensors of two saves, or no tensors at all.
    std::fs::copy(&of_two, &of_one).unwrap();
    let error = chain(&Interventions::load(&one).unwrap_err());
    let of_one = of_one.display().to_string();
    assert!(error.contains(&format!("{of_one}: not the tensors")), "{error}");
    assert!(error.ends_with("take both files from one save"), "{error}");
    std::fs::remove_file(&of_one).unwrap();
    let error = chain(&Interventions::load(&one).unwrap_err());
    assert!(error.ends_with(&format!("{of_one}: no such file or directory")), "{error}");
}

/// The error and its causes, in one line.
fn chain(error: &dyn std::error::Error) -> String {
    match error.source() {
        Some(cause) => format!("{error}: {}", chain(cause)),
        None => error.to_string(),
    }
}

#[test]
fn a_user_s_tensors_beside_a_text_stay_when_others_are_saved() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("hooks.toml");
    let own = [
        "hooks.toml.safetensors",
        "hooks.toml.0123.safetensors",
        "hooks.json.0123456789abcdef.safetensors",
    ];
    for name in own {
        std::fs::write(directory.path().join(name), name).unwrap();
    }
    for mark in [1, 2] {
        marked(mark).save(&path).unwrap();
        assert_eq!(names(directory.path()).len(), own.len() + 2);
    }
    Interventions::new().save(&path).unwrap();
    let mut expected = [&own[..], &["hooks.toml"]].concat();
    expected.sort_unstable();
    assert_eq!(names(directory.path()), expected);
    for name in own {
        assert_eq!(std::fs::read_to_string(directory.path().join(name)).unwrap(), name);
    }
}

#[cfg(unix)]
mod on_unix {
    use std::fs;
    use std::os::unix::fs::{FileTypeExt, PermissionsExt, symlink};
    use std::os::unix::net::UnixListener;

    use super::*;

    fn mode(path: &Path) -> u32 {
        fs::metadata(path).unwrap().permissions().mode() & 0o7777
    }

    #[test]
    fn a_file_has_the_permissions_of_any_new_one_or_those_of_the_one_that_it_replaces() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("hooks.toml");
        let ordinary = directory.path().join("ordinary");
        fs::write(&ordinary, "").unwrap();
        marked(1).save(&path).unwrap();
        assert_eq!(mode(&path), mode(&ordinary));
        assert_eq!(mode(&tensors_beside(&path)), mode(&ordinary));
        fs::set_permissions(&path, fs::Permissions::from_mode(0o640)).unwrap();
        marked(2).save(&path).unwrap();
        assert_eq!(mode(&path), 0o640);
        // They are a new file, in the place of the tensors before.
        assert_eq!(mode(&tensors_beside(&path)), 0o640);
    }

    #[test]
    fn through_a_link_the_file_behind_it_is_written_and_its_tensors_beside_that() {
        let directory = tempfile::tempdir().unwrap();
        let [here, there] = ["here", "there"].map(|name| directory.path().join(name));
        fs::create_dir(&here).unwrap();
        fs::create_dir(&there).unwrap();
        let (link, file) = (here.join("hooks.toml"), there.join("real.toml"));
        symlink("../there/step.toml", &link).unwrap();
        symlink("real.toml", there.join("step.toml")).unwrap();
        // A link that leads nowhere yet, and then one to a file.
        for mark in [1, 2] {
            marked(mark).save(&link).unwrap();
            assert_eq!(names(&here), ["hooks.toml"]);
            assert!(link.is_symlink());
            assert_eq!([marked_at(&link), marked_at(&file)], [mark, mark]);
        }
        // A directory that is a link.
        symlink("there", directory.path().join("link")).unwrap();
        let other = directory.path().join("link/other.json");
        marked(3).save(&other).unwrap();
        assert_eq!([marked_at(&other), marked_at(&there.join("other.json"))], [3, 3]);
    }

    /// As stores have it that keep each file under its hash and show it by a link.
    #[test]
    fn tensors_are_found_beside_a_link_to_the_text_too() {
        let directory = tempfile::tempdir().unwrap();
        let [shown, store, path] =
            ["shown", "store", "hooks.toml"].map(|name| directory.path().join(name));
        fs::create_dir(&shown).unwrap();
        fs::create_dir(&store).unwrap();
        marked(1).save(&path).unwrap();
        for (index, file) in [path.clone(), tensors_beside(&path)].iter().enumerate() {
            let stored = store.join(index.to_string());
            fs::rename(file, &stored).unwrap();
            symlink(&stored, shown.join(file.file_name().unwrap())).unwrap();
        }
        assert_eq!(marked_at(&shown.join("hooks.toml")), 1);
    }

    #[test]
    fn what_is_not_a_file_is_not_replaced() {
        let directory = tempfile::tempdir().unwrap();
        let [socket, link, folder, circle] =
            ["s.toml", "l.toml", "f.toml", "c.toml"].map(|name| directory.path().join(name));
        let _listener = UnixListener::bind(&socket).unwrap();
        symlink(&socket, &link).unwrap();
        fs::create_dir(&folder).unwrap();
        symlink(&circle, &circle).unwrap();
        let before = names(directory.path());
        for path in [&socket, &link, &folder, &circle] {
            let error = chain(&Interventions::new().save(path).unwrap_err());
            assert!(error.starts_with(&format!("cannot write {}: ", path.display())), "{error}");
            assert!(marked(1).save(path).is_err());
        }
        assert_eq!(names(directory.path()), before);
        assert!(fs::symlink_metadata(&socket).unwrap().file_type().is_socket());
    }

    /// No file may grow beyond some blocks: what comes of that is what comes of a full disk.
    #[test]
    fn where_a_disk_is_full_the_old_edits_stay_and_the_error_says_why() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("hooks.toml");
        marked(1).save(&path).unwrap();
        let before = names(directory.path());
        let saver = saver(&path, "2");
        let output = Command::new("sh")
            .args(["-c", r#"trap "" XFSZ; ulimit -f 4; exec "$0" "$@""#])
            .arg(saver.get_program())
            .args(saver.get_args())
            .envs(saver.get_envs().filter_map(|(name, value)| Some((name, value?))))
            .output()
            .unwrap();
        assert!(!output.status.success());
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(said.contains("File too large"), "{said}");
        assert_eq!(marked_at(&path), 1);
        assert_eq!(names(directory.path()), before);
    }

    /// Under the name that was once written to before the renaming.
    #[test]
    fn no_link_at_the_name_of_a_part_is_followed() {
        let directory = tempfile::tempdir().unwrap();
        let (path, target) = (directory.path().join("hooks.toml"), directory.path().join("target"));
        fs::write(&target, "dear").unwrap();
        symlink(&target, directory.path().join(".hooks.toml.partial")).unwrap();
        marked(1).save(&path).unwrap();
        assert_eq!(fs::read_to_string(&target).unwrap(), "dear");
    }
}
