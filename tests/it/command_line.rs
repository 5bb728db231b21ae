//! The `einstein_sweep` example, run as a user runs it.

use hooked_gpt2::experiment::einstein::EinsteinSweep;
use hooked_gpt2::tch::Device;
use hooked_gpt2::{Checkpoint, Gpt2, Precision};
use serde_json::Value;

use crate::support::{einstein_sweep, run_example};

const BUNDLED: [&str; 2] = ["--model", "bundled"];

fn patching_grid(out: &std::path::Path, arguments: &[&str]) -> std::process::Output {
    let out = ["--out", out.to_str().unwrap()];
    run_example("patching_grid", &[], &[&out, arguments].concat())
}

fn run_in(out: &std::path::Path, arguments: &[&str]) -> std::process::Output {
    let out = ["--out", out.to_str().unwrap()];
    einstein_sweep(&[], &[&out, arguments].concat())
}

#[test]
fn the_default_falls_back_on_the_bundled_model_and_says_so_in_one_line() {
    let out = tempfile::tempdir().unwrap();
    let output = run_in(out.path(), &["--offline"]);
    assert!(output.status.success());
    let stderr = String::from_utf8(output.stderr).unwrap();
    assert_eq!(stderr.lines().count(), 1, "{stderr}");
    assert!(stderr.starts_with("note: gpt2-medium cannot be had"), "{stderr}");
    assert!(stderr.contains("figures are its own and not the published ones"), "{stderr}");

    let stdout = String::from_utf8(output.stdout).unwrap();
    for expected in [
        "Model bundled: 12 layers, 4 heads, d_model 128, 8192 tokens; f32 on cpu",
        "Clean run: top 10",
        "loss 1.7803 nats, rank 2",
        "  rank  clean         logit    ln p\n     0  \" fond\"      15.858  -1.300",
        "    8  2.1273  +0.3470     2  0.97116     -0.4164     0.9802",
        "1.0000  divided out*\n* by the final layer norm; no logit changed by 0.001: no evidence",
        "Top 10: clean, and layer 2 scaled by 0.6",
        "  rank  clean         logit    ln p  layer 2 × 0.6   logit    ln p",
        "1. \"layer 2 at 0.6 shrinks all logits and yet r ≈ 0.995 with the clean ones\"\n   does not hold",
        "no  r ≈ 0.995   r                       0.9690  0.99 to 0.9975",
    ] {
        assert!(stdout.contains(expected), "{expected:?} is not in:\n{stdout}");
    }
}

#[test]
fn nothing_that_is_printed_is_wider_than_80_columns() {
    let out = tempfile::tempdir().unwrap();
    for arguments in [
        &["--help"][..],
        &["--offline"],
        &["--scale", "1", "--model", "bundled"],
        &["--layers", "1,3,5,7,9-11", "--model", "bundled"],
        &["--prompt", &" word".repeat(200), "--scale", "-123456.789", "--model", "bundled"],
    ] {
        let output = run_in(out.path(), arguments);
        assert!(output.status.success(), "{arguments:?}");
        let stdout = String::from_utf8(output.stdout).unwrap();
        // Where the results are is as long as it is.
        let lines = stdout.lines().filter(|line| !line.starts_with("Written to "));
        for line in lines {
            assert!(line.chars().count() <= 80, "{arguments:?}: {line:?}");
        }
    }
}

/// The example goes step by step what `EinsteinSweep::run` does.
#[test]
fn the_example_gives_what_the_library_gives() {
    let out = tempfile::tempdir().unwrap();
    let arguments = ["--layers", "1-4,11", "--scale", "0.7", "--top-k", "4", "--dtype", "f64"];
    let output = run_in(out.path(), &[&BUNDLED[..], &["--json"], &arguments].concat());
    let printed: Value = serde_json::from_slice(&output.stdout).unwrap();
    let sweep = EinsteinSweep {
        layers: Some(vec![1, 2, 3, 4, 11]),
        scale: 0.7,
        top_k: 4,
        ..EinsteinSweep::default()
    };
    let checkpoint = Checkpoint::bundled().unwrap();
    let (model, _) = Gpt2::load(&checkpoint, Precision::F64, Device::Cpu).unwrap();
    let report =
        sweep.run(checkpoint.name(), &model, checkpoint.tokenizer().unwrap(), |_| ()).unwrap();
    assert_eq!(printed, serde_json::to_value(&report).unwrap());
}

#[test]
fn the_small_examples_run_and_say_what_they_found() {
    for (example, expected) in [
        ("ablate_heads", "The word depends most on head 2 of layer 5."),
        ("patch_residual", "    4  2.790    20 %  ####"),
        ("steer", "   0  \" the world.\\n\\\"I am not a man,\\\" said\""),
    ] {
        let output = std::process::Command::new(crate::support::example(example)).output().unwrap();
        let stdout = String::from_utf8(output.stdout).unwrap();
        assert!(output.status.success() && output.stderr.is_empty(), "{example}");
        assert!(stdout.contains(expected), "{expected:?} is not in:\n{stdout}");
        assert!(stdout.contains("; BOS: omit\n"), "{stdout}");
        assert!(stdout.lines().all(|line| line.chars().count() <= 80), "{stdout}");
    }
}

#[test]
fn every_example_says_what_it_does_and_takes_a_number_of_threads() {
    let examples = [
        "ablate_heads",
        "conformance",
        "downstream_impact",
        "einstein_sweep",
        "ioi",
        "logit_lens",
        "measure_bias",
        "patch_residual",
        "patching_grid",
        "skip_layer",
        "steer",
    ];
    for example in examples {
        let help = run_example(example, &[], &["--help"]);
        let text = String::from_utf8(help.stdout).unwrap();
        assert!(help.status.success() && text.contains("--threads <N>"), "{example}: {text}");
        assert!(text.lines().all(|line| line.chars().count() <= 80), "{text}");
        let refused = run_example(example, &[], &["--threads", "0"]);
        let text = String::from_utf8(refused.stderr).unwrap();
        assert!(!refused.status.success() && text.contains("0 is not in 1..=1024"), "{text}");
    }
    let [one, two] = ["1", "2"].map(|threads| run_example("steer", &[], &["--threads", threads]));
    assert!(one.status.success() && one.stdout == two.stdout);
}

/// What the library that the threads are from says of itself when it is loaded.
#[cfg(target_os = "linux")]
#[test]
fn the_threads_of_an_example_sleep_while_they_wait_unless_somebody_says_otherwise() {
    let spins = |environment: &[(&str, &str)]| {
        let environment = [environment, &[("OMP_DISPLAY_ENV", "verbose")]].concat();
        let output = run_example("steer", &environment, &["--threads", "1"]);
        let text = String::from_utf8(output.stderr).unwrap();
        let lines = text.lines().filter_map(|line| line.split_once("GOMP_SPINCOUNT = "));
        lines.map(|(_, count)| count.trim_matches('\'').to_owned()).collect::<Vec<_>>()
    };
    let started_twice = spins(&[]);
    assert_eq!(started_twice.len(), 2, "{started_twice:?}");
    assert!(started_twice[0] != "0" && started_twice[1] == "0", "{started_twice:?}");
    assert_eq!(spins(&[("OMP_WAIT_POLICY", "active")]).len(), 1);
    assert_eq!(spins(&[("GOMP_SPINCOUNT", "1000")]), ["1000"]);
}

#[test]
fn options_that_cannot_be_meant_are_refused_with_what_can() {
    let out = tempfile::tempdir().unwrap();
    for (arguments, expected) in [
        (&["--layers", "5-2"][..], "`5-2` runs downward, allowed: `2-5`"),
        (&["--model", "nosuch", "--offline"], r#"a directory is given as "./nosuch""#),
        (
            &["--model", "bundled", "--target", "happy"],
            "; \" happy\", with the space before it, is one",
        ),
    ] {
        let output = run_in(out.path(), arguments);
        let text = String::from_utf8(output.stderr).unwrap();
        assert!(!output.status.success() && text.contains(expected), "{arguments:?}: {text}");
        assert_eq!(text.lines().count(), 1, "{text}");
    }
    let output = patching_grid(out.path(), &["--max-mib", "1"]);
    let text = String::from_utf8(output.stderr).unwrap();
    assert!(text.contains("MiB (") && text.contains("allowed: 1.0 MiB (1048576 bytes)"), "{text}");
}

#[test]
fn the_json_is_alone_on_standard_output_and_the_same_as_the_file() {
    let out = tempfile::tempdir().unwrap();
    let output = run_in(out.path(), &[&BUNDLED[..], &["--json", "--dtype", "f64"]].concat());
    assert!(output.status.success() && output.stderr.is_empty());
    let printed: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(printed["target_token"], 477);
    assert_eq!(std::fs::read(out.path().join("sweep.json")).unwrap(), output.stdout);
}

#[test]
fn bf16_is_named_and_near() {
    let out = tempfile::tempdir().unwrap();
    let loss = |dtype: &str| {
        let output = run_in(out.path(), &[&BUNDLED[..], &["--json", "--dtype", dtype]].concat());
        let report: Value = serde_json::from_slice(&output.stdout).unwrap();
        report["clean"]["loss"].as_f64().unwrap()
    };
    let difference = (loss("bf16") - loss("f64")).abs();
    assert!(1e-4 < difference && difference < 0.05, "{difference}");
    let output = run_in(out.path(), &[&BUNDLED[..], &["--dtype", "bf16"]].concat());
    let stdout = String::from_utf8(output.stdout).unwrap();
    assert!(stdout.contains("8192 tokens; bf16 on cpu"), "{stdout}");
}

#[test]
fn the_output_directory_holds_data_and_figures_and_nothing_else() {
    let out = tempfile::tempdir().unwrap();
    assert!(run_in(out.path(), &[&BUNDLED[..], &["--layers", "0,2-4"]].concat()).status.success());
    let mut files: Vec<_> = std::fs::read_dir(out.path())
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    files.sort();
    let mut expected = vec!["hooked-gpt2.sha256", "sweep.csv", "sweep.json"];
    if cfg!(feature = "plot") {
        expected.extend(["by_layer.svg", "logits.svg", "top_tokens.svg"]);
    }
    expected.sort_unstable();
    assert_eq!(files, expected);
    let csv = std::fs::read_to_string(out.path().join("sweep.csv")).unwrap();
    let layers: Vec<_> = csv.lines().skip(1).map(|line| line.split(',').next().unwrap()).collect();
    assert_eq!(layers, ["0", "2", "3", "4"]);
    assert!(csv.lines().all(|line| line.split(',').count() == 9));
}

#[test]
fn a_closed_pipe_is_no_error_and_loses_no_file() {
    let out = tempfile::tempdir().unwrap();
    let mut child = std::process::Command::new("sh")
        .arg("-c")
        .arg(r#""$0" "$@" | true"#)
        .arg(crate::support::example("einstein_sweep"))
        .args(["--model", "bundled", "--json", "--out", out.path().to_str().unwrap()])
        .stdout(std::process::Stdio::null())
        .stderr(std::process::Stdio::piped())
        .spawn()
        .unwrap();
    let stderr = std::io::read_to_string(child.stderr.take().unwrap()).unwrap();
    assert!(child.wait().unwrap().success());
    assert_eq!(stderr, "");
    assert!(out.path().join("sweep.json").exists());
}

#[test]
fn a_grid_of_what_does_not_differ_is_refused_in_words() {
    let out = tempfile::tempdir().unwrap();
    let refused = |arguments: &[&str]| {
        let output = patching_grid(out.path(), arguments);
        let said = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(1), "{said}");
        assert!(output.stdout.is_empty());
        assert_eq!(std::fs::read_dir(out.path()).map_or(0, |files| files.count()), 0);
        said
    };
    assert_eq!(
        refused(&["--corrupted", "When Mary and John went to the store, John gave a drink to"]),
        "error: the prompts are the same, so that there is nothing to restore\n"
    );
    assert_eq!(
        refused(&["--wrong", " Mary"]),
        "error: both answers are \" Mary\", which differs from itself by 0 always\n"
    );
    // Memory that cannot be counted is as much as there is.
    let all = ["--max-mib", "18446744073709551615"];
    assert!(patching_grid(out.path(), &all).status.success());
}

#[test]
fn a_result_that_cannot_be_saved_is_printed_and_is_a_failure() {
    for (example, file, expected) in [
        ("einstein_sweep", "sweep.csv", "The published findings"),
        ("patching_grid", "grid.csv", "share of the way to clean"),
    ] {
        let out = tempfile::tempdir().unwrap();
        std::fs::create_dir(out.path().join(file)).unwrap();
        let out = out.path().to_str().unwrap();
        let output = run_example(example, &[], &["--model", "bundled", "--out", out]);
        let [stdout, stderr] =
            [output.stdout, output.stderr].map(|said| String::from_utf8(said).unwrap());
        assert_eq!(output.status.code(), Some(1));
        assert!(stdout.contains(expected) && !stdout.contains("Written to"), "{stdout}");
        let expected = format!("error: cannot write {out}/{file}: ");
        assert!(stderr.starts_with(&expected) && stderr.lines().count() == 1, "{stderr}");
    }
}

#[cfg(target_os = "linux")]
mod where_nothing_can_be_printed {
    use std::fs::File;
    use std::process::{Command, Stdio};

    use crate::support::example;

    const EXAMPLES: [&str; 6] = [
        "ablate_heads",
        "patch_residual",
        "steer",
        "conformance",
        "patching_grid",
        "einstein_sweep",
    ];

    /// An example in a directory of its own, from which what it saves goes again.
    fn command(name: &str, directory: &std::path::Path) -> Command {
        let mut command = Command::new(example(name));
        command.current_dir(directory).env("HF_HUB_OFFLINE", "1").env("HF_HOME", directory);
        if name == "einstein_sweep" {
            command.args(["--model", "bundled"]);
        }
        command
    }

    fn full() -> Stdio {
        File::options().write(true).open("/dev/full").unwrap().into()
    }

    #[test]
    fn an_example_on_a_full_disk_says_so_in_one_line_and_fails() {
        let directory = tempfile::tempdir().unwrap();
        for name in EXAMPLES {
            let output = command(name, directory.path()).stdout(full()).output().unwrap();
            let stderr = String::from_utf8(output.stderr).unwrap();
            let expected =
                "error: cannot write to standard output: No space left on device (os error 28)\n";
            assert_eq!((&*stderr, output.status.code()), (expected, Some(1)), "{name}");
        }
        assert!(directory.path().join("target/einstein_sweep/sweep.json").exists());
        assert!(directory.path().join("target/patching_grid/grid.csv").exists());
    }

    #[test]
    fn an_example_whose_reader_is_gone_ends_in_peace() {
        let directory = tempfile::tempdir().unwrap();
        for name in EXAMPLES {
            let (reader, writer) = std::io::pipe().unwrap();
            drop(reader);
            let output = command(name, directory.path()).stdout(writer).output().unwrap();
            let stderr = String::from_utf8(output.stderr).unwrap();
            assert_eq!((&*stderr, output.status.code()), ("", Some(0)), "{name}");
        }
    }

    #[test]
    fn an_error_that_nobody_can_read_is_an_error_and_no_panic() {
        for name in ["conformance", "patching_grid", "einstein_sweep"] {
            for arguments in
                [&["--model", "no/such/directory", "--offline"][..], &["--no-such-option"]]
            {
                let directory = tempfile::tempdir().unwrap();
                let status = Command::new(example(name))
                    .current_dir(directory.path())
                    .args(arguments)
                    .stderr(full())
                    .status()
                    .unwrap();
                assert!([Some(1), Some(2)].contains(&status.code()), "{name}: {status}");
            }
        }
    }
}
