//! Activations in files that other programs read.

use std::path::Path;
use std::process::Command;

use hooked_gpt2::hook::{At, Capture, Positions, Site};
use hooked_gpt2::intervention::Interventions;
use hooked_gpt2::tch::{Kind, Tensor};
use hooked_gpt2::{Activations, Batch, Error, Precision};

use crate::support::{assert_identical, names, tiny};

const LAST: &str = "0/blocks.2.hook_resid_post before edits at positions last";

/// Of every form, in two sequences.
fn kept(precision: Precision) -> Activations {
    let batch = Batch::new([vec![3, 14, 15], vec![9, 26]]).unwrap();
    let mut hooks = Interventions::new();
    hooks.scale(At::resid_post(2), 2.0).unwrap();
    let model = tiny(precision);
    let run = model
        .run(&batch)
        .hooks(&hooks)
        .capture([Site::z(1), Site::pattern(0)])
        .capture([Capture::new(Site::resid_post(2)).before_edits().positions(Positions::last())])
        .capture([Capture::new(Site::resid_mid(1)).norm()])
        .capture([Capture::new(Site::mlp_out(1)).moments()])
        .capture([Capture::new(Site::mlp_post(1)).top_k(2)]);
    run.execute().unwrap().activations
}

fn assert_same(found: Vec<(String, Tensor)>, kept: &Activations) {
    let mut found: std::collections::HashMap<_, _> = found.into_iter().collect();
    let mut take = |name: &str| found.remove(name).unwrap_or_else(|| panic!("no {name}"));
    for sequence in 0..2 {
        let name = |name: &str| format!("{sequence}/{name}");
        let z = kept.get(Site::z(1), sequence).unwrap();
        assert_identical(&take(&name("blocks.1.attn.hook_z")), &z);
        let pattern = kept.get(Site::pattern(0), sequence).unwrap();
        assert_identical(&take(&name("blocks.0.attn.hook_pattern")), &pattern);
        let norm = kept.get(Capture::new(Site::resid_mid(1)).norm(), sequence).unwrap();
        assert_identical(&take(&name("blocks.1.hook_resid_mid (norm)")), &norm);
        let moments = kept.get(Capture::new(Site::mlp_out(1)).moments(), sequence).unwrap();
        let of_moments = |part: &str| name(&format!("blocks.1.hook_mlp_out (moments) {part}"));
        assert_identical(&take(&of_moments("mean")), moments.mean());
        assert_identical(&take(&of_moments("variance")), &moments.variance().unwrap());
        assert_eq!(take(&of_moments("count")).int64_value(&[]), [3, 2][sequence]);
        let top = kept.get(Capture::new(Site::mlp_post(1)).top_k(2), sequence).unwrap();
        let of_top = |part: &str| name(&format!("blocks.1.mlp.hook_post (top 2) {part}"));
        assert_identical(&take(&of_top("values")), &top.values);
        assert_identical(&take(&of_top("indices")), &top.indices);
        let last = Capture::new(Site::resid_post(2)).before_edits().positions(Positions::last());
        let last = kept.get(&last, sequence).unwrap();
        assert_identical(&take(&name(&LAST[2..])), &last);
    }
    assert!(found.is_empty(), "{:?}", found.keys());
}

#[test]
fn all_that_was_captured_comes_back_from_both_kinds_of_files() {
    for precision in [Precision::F32, Precision::F64] {
        let (kept, directory) = (kept(precision), tempfile::tempdir().unwrap());
        let [npz, safetensors] =
            ["kept.npz", "kept.safetensors"].map(|name| directory.path().join(name));
        for path in [&npz, &safetensors] {
            // An earlier, longer file goes.
            std::fs::write(path, vec![7; 1 << 20]).unwrap();
            kept.save(path).unwrap();
        }
        assert_same(Tensor::read_npz(&npz).unwrap(), &kept);
        assert_same(Tensor::read_safetensors(&safetensors).unwrap(), &kept);
        assert_eq!(names(directory.path()), ["kept.npz", "kept.safetensors"]);
    }
}

#[test]
fn captures_at_many_positions_have_names_of_their_own() {
    let model = tiny(Precision::F64);
    let batch = Batch::single((1..=16).collect::<Vec<_>>()).unwrap();
    let captures = [14, 15]
        .map(|last| Capture::new(Site::z(1)).positions(Positions::several((0..12).chain([last]))));
    let kept = model.run(&batch).capture(&captures).execute().unwrap().activations;
    let names: Vec<_> = kept.tensors().unwrap().into_iter().map(|(name, _)| name).collect();
    let name = |last| {
        format!(
            "0/blocks.1.attn.hook_z at positions [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, {last}]"
        )
    };
    assert_eq!(names, [name(14), name(15)]);
}

#[test]
fn another_extension_is_refused_and_nothing_is_written() {
    let (kept, directory) = (kept(Precision::F32), tempfile::tempdir().unwrap());
    for name in ["kept.npy", "kept", "kept.NPZ"] {
        let error = kept.save(directory.path().join(name)).unwrap_err();
        assert!(matches!(error, Error::UnknownName { .. }), "{error}");
        assert!(error.to_string().ends_with("allowed: npz, safetensors"), "{error}");
    }
    assert!(names(directory.path()).is_empty());
    let error = kept.save(directory.path().join("missing/kept.npz")).unwrap_err();
    assert!(format!("{error:#}").contains("missing/kept.npz: No such file"), "{error:#}");
}

#[test]
fn a_run_that_captured_nothing_has_nothing_to_save() {
    let (model, directory) = (tiny(Precision::F32), tempfile::tempdir().unwrap());
    let kept = model.run(&Batch::single([3, 14, 15]).unwrap()).execute().unwrap().activations;
    for name in ["kept.npz", "kept.safetensors"] {
        let error = kept.save(directory.path().join(name)).unwrap_err();
        assert_eq!(
            error.to_string(),
            "nothing was captured and nothing can be saved, `capture` says what a run keeps"
        );
    }
    assert!(names(directory.path()).is_empty());
}

/// What `program` prints, given the path of a file.
fn python(program: &str, path: &Path) -> String {
    let output = Command::new("python3").args(["-c", program]).arg(path).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

#[test]
#[ignore = "needs a `python3` with numpy, torch and safetensors"]
fn python_reads_what_was_saved() {
    let (kept, directory) = (kept(Precision::F32), tempfile::tempdir().unwrap());
    for (name, load) in [
        ("kept.npz", "import numpy; kept = numpy.load(sys.argv[1])"),
        (
            "kept.safetensors",
            "from safetensors.torch import load_file; kept = load_file(sys.argv[1])",
        ),
    ] {
        let path = directory.path().join(name);
        kept.save(&path).unwrap();
        let print =
            "z = kept['1/blocks.1.attn.hook_z']; print(tuple(z.shape), z.dtype, float(z.sum()))";
        let found = python(&format!("import sys; {load}; {print}"), &path);
        let z = kept.get(Site::z(1), 1).unwrap();
        let sum = z.sum(Kind::Double).double_value(&[]);
        let dtype = if name.ends_with("npz") { "float32" } else { "torch.float32" };
        let (form, found) = found.trim().rsplit_once(' ').unwrap();
        assert_eq!(form, format!("(2, 3, 8) {dtype}"));
        assert!((found.parse::<f64>().unwrap() - sum).abs() < 1e-5, "{found} {sum}");
    }
}
