//! Interventions on disk: what comes back, and what is refused.

use std::any::Any;
use std::path::PathBuf;

use hooked_gpt2::error::FileError;
use hooked_gpt2::hook::{At, Edit, Hook, HookRegistry, Part, Positions, Site};
use hooked_gpt2::intervention::{Clamp, Interventions, Noise, Scale, Shuffle};
use hooked_gpt2::tch::{Device, Kind, Tensor};
use hooked_gpt2::{Batch, Error, Gpt2, Precision, Result};
use proptest::prelude::*;
use sha2::{Digest, Sha256};
use tempfile::TempDir;

use crate::support::{assert_identical, names, tensors_beside, tiny};

const FORMATS: [&str; 2] = ["toml", "json"];

fn vector(first: f64) -> Tensor {
    Tensor::linspace(first, 2.0, 24, (Kind::Double, Device::Cpu))
}

/// One of every edit, selection and spelling of positions.
fn everything() -> Interventions {
    let mut hooks = Interventions::new();
    hooks.set(At::resid_pre(0).positions(Positions::last()), &vector(0.1)).unwrap();
    hooks.steer(At::resid_post(1).positions(Positions::range(0..2)), &vector(0.3), 0.7).unwrap();
    let matrix = vector(0.9).view([2, 12]).repeat([1, 2]).f_reshape([2, 24]).unwrap();
    let rows = At::attn_out(1).positions(Positions::several([0, 2]));
    hooks.interpolate(rows, &matrix, -1.0 / 3.0).unwrap();
    hooks.scale(At::z(0).heads([0, 2]).channels([1, 7]), 1e-7).unwrap();
    hooks.scale(At::mlp_post(0).sequences([1]).neurons([3, 90]), -0.0).unwrap();
    hooks.scale(At::mlp_pre(0).positions(Positions::starting_at(1)), 2.5).unwrap();
    hooks.scale(At::unembed().tokens([5]), 1e300).unwrap();
    hooks.scale(At::ln_final_scale(), 2.0).unwrap();
    hooks.knock_out(1, [2], Positions::at(2), Positions::range(0..2));
    hooks.noise(At::embed().positions(Positions::from_end(2)), gaussian(0.1, u64::MAX));
    hooks.noise(At::pattern(0).keys(Positions::at(0)), Noise::uniform(0.1, 1 << 63).unwrap());
    hooks.shuffle(At::pos_embed(), Shuffle::positions(i64::MAX as u64));
    hooks.shuffle(At::ln2_normalized(1), Shuffle::channels(0));
    let directions = Tensor::stack(&[vector(0.2), vector(0.4).square()], 0);
    hooks.project_out(At::resid_mid(1), &directions.to_kind(Kind::Float)).unwrap();
    hooks.keep_only(At::mlp_out(1), &vector(0.5)).unwrap();
    hooks.clamp(At::mlp_post(1).neurons([7, 8]), Clamp::between(-0.1, 1.0 / 3.0).unwrap());
    hooks.clamp(At::v(1), Clamp::at_least(-0.7).unwrap());
    hooks.clamp(At::v(0), Clamp::at_most(0.9).unwrap());
    let reference = Batch::new([[5, 6, 7, 8], [9, 10, 11, 12]]).unwrap();
    let model = tiny(Precision::F64);
    let sites = || [Site::z(1), Site::pattern(1)];
    let means = model.run(&reference).mean_by_position(sites()).unwrap();
    hooks.mean_ablate(At::z(1).heads([1]), &means).unwrap();
    hooks.mean_ablate(At::pattern(1).heads([0]), &means).unwrap();
    let means = model.run(&reference).mean_over_tokens([Site::attn_out(0)]).unwrap();
    hooks.mean_ablate(At::attn_out(0).positions(Positions::at(0)), &means).unwrap();
    hooks.skip(2);
    hooks
}

fn gaussian(std: f64, seed: u64) -> Noise {
    Noise::gaussian(std, seed).unwrap()
}

fn run(model: &Gpt2, hooks: &Interventions) -> Tensor {
    let batch = Batch::new([vec![3, 14, 15, 92], vec![6, 5, 35]]).unwrap();
    let logits = model.run(&batch).hooks(hooks).execute().unwrap().logits;
    Tensor::cat(&[logits.tensor(0).unwrap(), logits.tensor(1).unwrap()], 0)
}

fn saved(hooks: &Interventions, extension: &str) -> (TempDir, PathBuf) {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join(format!("hooks.{extension}"));
    hooks.save(&path).unwrap();
    (directory, path)
}

/// What becomes of a text, which stands alone in a directory of its own.
fn loaded(extension: &str, text: &str) -> Result<Interventions> {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join(format!("hooks.{extension}"));
    std::fs::write(&path, text).unwrap();
    Interventions::load(&path)
}

/// The error and its causes, in one line.
fn chain(error: &dyn std::error::Error) -> String {
    let mut chain = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        chain += &format!(": {error}");
        cause = error.source();
    }
    chain
}

#[track_caller]
fn assert_refused(extension: &str, text: &str, expected: &str) {
    let error = chain(&loaded(extension, text).unwrap_err());
    assert!(error.contains(expected), "{expected:?} is not in {error}");
}

#[test]
fn every_edit_comes_back_and_does_the_same_bit_for_bit() {
    let model = tiny(Precision::F64);
    let original = run(&model, &everything());
    for extension in FORMATS {
        let (_directory, path) = saved(&everything(), extension);
        assert_identical(&run(&model, &Interventions::load(&path).unwrap()), &original);
    }
}

#[test]
fn a_second_save_writes_the_same_bytes() {
    for extension in FORMATS {
        let (first, path) = saved(&everything(), extension);
        let (second, again) = saved(&Interventions::load(&path).unwrap(), extension);
        let tensors = std::fs::read(tensors_beside(&path)).unwrap();
        let digest = format!("{:x}", Sha256::digest(tensors));
        let tensors = format!("hooks.{extension}.{}.safetensors", &digest[..16]);
        assert_eq!(names(first.path()), [format!("hooks.{extension}"), tensors]);
        assert_eq!(names(second.path()), names(first.path()));
        assert!(std::fs::read_to_string(&path).unwrap().contains(&digest));
        for (one, other) in [(&path, &again), (&tensors_beside(&path), &tensors_beside(&again))] {
            assert_eq!(std::fs::read(one).unwrap(), std::fs::read(other).unwrap());
        }
    }
}

#[test]
fn saved_toml_has_a_table_for_each_hook() {
    let mut hooks = Interventions::new();
    hooks.skip(4).steer(At::resid_post(5), &vector(1.0), 4.0).unwrap();
    hooks.scale(At::z(3).heads([1]).positions(Positions::last()), 0.5).unwrap();
    hooks.knock_out(7, [0], Positions::range(2..5), Positions::from_end(3));
    let (_directory, path) = saved(&hooks, "toml");
    let digest = Sha256::digest(std::fs::read(tensors_beside(&path)).unwrap());
    let text = std::fs::read_to_string(path).unwrap();
    assert_eq!(
        text,
        format!("skip = [4]\ntensors_sha256 = \"{digest:x}\"\n")
            + r#"
[[hook]]
site = "blocks.3.attn.hook_z"
heads = [1]
positions = "last"

[hook.edit.scale]
factor = 0.5

[[hook]]
site = "blocks.5.hook_resid_post"

[hook.edit.add]
vector = "hook.1"
coefficient = 4.0

[[hook]]
site = "blocks.7.attn.hook_attn_scores"
heads = [0]
edit = "knock_out"

[hook.queries]
from = 2
to = 5

[hook.keys]
from_end = 3
"#
    );
}

#[test]
fn a_seed_that_toml_does_not_promise_to_hold_is_quoted() {
    for (seed, written) in
        [(i64::MAX as u64, "9223372036854775807"), (1 << 63, "\"9223372036854775808\"")]
    {
        let mut hooks = Interventions::new();
        hooks.shuffle(At::embed(), Shuffle::channels(seed));
        for extension in FORMATS {
            let (_directory, path) = saved(&hooks, extension);
            let text = std::fs::read_to_string(path).unwrap();
            assert!(text.contains(&format!(" {written}\n")), "{text}");
        }
    }
}

#[test]
fn the_text_in_the_documentation_loads() {
    let page = include_str!("../../docs/edits.md");
    let text = page.split("```toml\n").nth(1).and_then(|rest| rest.split("```").next()).unwrap();
    let hooks = loaded("toml", text).unwrap();
    assert_eq!(hooks.layers(), [3, 7, 4]);
    assert_eq!(hooks.hooks_outside_blocks().len(), 1);
}

#[test]
fn hand_written_text_loads_as_the_calls_that_it_stands_for() {
    let written = r#"
        hook = [
            { site = "blocks.1.hook_resid_mid", positions = 3, edit = { scale = { factor = 2 } } },
            { site = "hook_embed", positions = [4, 1, 1], channels = [7, 2], edit = { shuffle_channels = { seed = 3 } } },
            { site = "blocks.0.attn.hook_attn_scores", heads = [2, 0], queries = { from_end = 1 }, keys = { from = 0, to = 1 }, edit = "knock_out" },
            { site = "blocks.1.hook_resid_mid", positions = "all", edit = { uniform_noise = { half_width = 1, seed = "9" } } },
        ]"#;
    let mut hooks = Interventions::new();
    hooks.scale(At::resid_mid(1).positions(Positions::at(3)), 2.0).unwrap();
    let some = At::embed().positions(Positions::several([1, 4])).channels([2, 7]);
    hooks.shuffle(some, Shuffle::channels(3));
    hooks.knock_out(0, [0, 2], Positions::last(), Positions::range(0..1));
    hooks.noise(At::resid_mid(1), Noise::uniform(1.0, 9).unwrap());
    let text = |hooks: &Interventions| {
        let (_directory, path) = saved(hooks, "json");
        std::fs::read_to_string(path).unwrap()
    };
    assert_eq!(text(&loaded("toml", written).unwrap()), text(&hooks));
}

#[test]
fn edits_at_one_site_keep_their_order() {
    let mut hooks = Interventions::new();
    for factor in [3.0, 1.0, 2.0] {
        hooks.scale(At::resid_mid(1), factor).unwrap();
        hooks.scale(At::unembed(), -factor).unwrap();
    }
    for extension in FORMATS {
        let (_directory, path) = saved(&hooks, extension);
        let back = Interventions::load(&path).unwrap();
        assert_eq!(factors(back.hooks(1)), [3.0, 1.0, 2.0]);
        assert_eq!(factors(back.hooks_outside_blocks()), [-3.0, -1.0, -2.0]);
    }
}

fn factors(hooks: &[Hook]) -> Vec<f64> {
    let factor = |hook: &Hook| {
        let edit: &dyn Any = hook.edit();
        edit.downcast_ref::<Scale>().unwrap().factor()
    };
    hooks.iter().map(factor).collect()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(256))]

    #[test]
    fn every_finite_number_comes_back_exactly(
        factor in any::<u64>().prop_map(f64::from_bits).prop_filter("finite", |x| x.is_finite()),
        seed in any::<u64>(),
    ) {
        let mut hooks = Interventions::new();
        hooks.scale(At::resid_mid(1), factor).unwrap();
        hooks.noise(At::embed(), gaussian(factor.abs(), seed));
        let debug = |hooks: &Interventions| format!("{:?}", hooks.hooks_outside_blocks()[0].edit());
        for extension in FORMATS {
            let (_directory, path) = saved(&hooks, extension);
            let back = Interventions::load(&path).unwrap();
            prop_assert_eq!(factors(back.hooks(1))[0].to_bits(), factor.to_bits());
            prop_assert_eq!(debug(&back), debug(&hooks));
        }
    }
}

#[test]
fn tensors_come_back_with_their_kind_shape_and_every_bit() {
    let special = [f64::NAN, f64::NEG_INFINITY, -0.0, 5e-324, f64::MAX, 1.0 / 3.0];
    for kind in [Kind::Double, Kind::Float, Kind::Half, Kind::BFloat16] {
        let value = Tensor::from_slice(&special).to_kind(kind).view([3, 2]);
        // Not contiguous, as a transposed matrix is.
        let mut hooks = Interventions::new();
        hooks.set(At::resid_mid(1), &value.tr()).unwrap();
        let (_directory, path) = saved(&hooks, "toml");
        let back = Interventions::load(&path).unwrap();
        assert_eq!(
            format!("{:?}", hooks.hooks(1)[0].edit()),
            format!("{:?}", back.hooks(1)[0].edit())
        );
        let (_again, second) = saved(&back, "toml");
        let [one, other] = [path, second]
            .map(|path| Tensor::read_safetensors(tensors_beside(&path)).unwrap().remove(0));
        assert_eq!((one.0.as_str(), one.1.kind(), one.1.size()), ("hook.0", kind, vec![2, 3]));
        let bits = |tensor: &Tensor| {
            let mut bits = vec![0; 6 * kind.elt_size_in_bytes()];
            tensor.contiguous().copy_data_u8(&mut bits, 6);
            bits
        };
        assert_eq!(bits(&one.1), bits(&value.tr()), "{kind:?}");
        assert_eq!(bits(&other.1), bits(&value.tr()), "{kind:?}");
    }
    let mut hooks = Interventions::new();
    hooks.set(At::resid_mid(1), &Tensor::from_slice(&[1i64])).unwrap();
    let directory = tempfile::tempdir().unwrap();
    let error = hooks.save(directory.path().join("hooks.toml")).unwrap_err().to_string();
    assert!(
        error.ends_with("`hook.0` is stored as Int64, allowed: F32, F16, BF16, F64"),
        "{error}"
    );
    assert!(names(directory.path()).is_empty());
}

#[test]
fn edits_without_tensors_make_one_file() {
    let mut hooks = Interventions::new();
    hooks.zero(At::embed());
    for extension in FORMATS {
        let (directory, _) = saved(&hooks, extension);
        assert_eq!(names(directory.path()), [format!("hooks.{extension}")]);
    }
    assert!(loaded("toml", "").unwrap().layers().is_empty());
    assert!(loaded("json", "{}").unwrap().layers().is_empty());
}

#[test]
fn a_closure_or_an_edit_of_ones_own_cannot_be_saved() {
    #[derive(Debug)]
    struct Own;
    impl Edit for Own {
        fn apply(&self, selected: &Tensor, _part: &Part<'_>) -> Result<Tensor> {
            Ok(selected.f_neg()?)
        }
    }
    let directory = tempfile::tempdir().unwrap();
    let refused = |hooks: &Interventions| {
        let error = hooks.save(directory.path().join("hooks.json")).unwrap_err();
        assert!(names(directory.path()).is_empty());
        error.to_string()
    };
    let mut hooks = Interventions::new();
    hooks.set(At::embed(), &vector(0.0)).unwrap();
    hooks.edit("clip at 3", At::mlp_post(2), |neurons, _| Ok(neurons.f_neg()?));
    assert_eq!(
        refused(&hooks),
        "hook `clip at 3` at blocks.2.mlp.hook_post cannot be saved, allowed: built-in edits"
    );
    let mut hooks = Interventions::new();
    hooks.add(Hook::new(At::z(0), Own));
    assert_eq!(
        refused(&hooks),
        "hook `Own` at blocks.0.attn.hook_z cannot be saved, allowed: built-in edits"
    );
}

#[test]
fn an_unknown_field_is_refused_by_name_at_every_level() {
    for (extension, text) in [
        ("toml", "skips = [1]"),
        ("toml", "[[hook]]\nsite = 'hook_embed'\nskips = 1\nedit = { scale = { factor = 1 } }"),
        ("toml", "[[hook]]\nsite = 'hook_embed'\nedit = { scale = { factor = 1, skips = 2 } }"),
        ("toml", "[[hook]]\nsite = 'hook_embed'\nedit = { skips = { factor = 1 } }"),
        ("toml", "[[hook]]\nsite = 'hook_embed'\nedit = 'skips'"),
        (
            "toml",
            "[[hook]]\nsite = 'hook_embed'\npositions = { from = 1, skips = 2 }\nedit = 'knock_out'",
        ),
        ("json", r#"{"skips": [1]}"#),
        ("json", r#"{"hook": [{"site": "hook_embed", "skips": 1, "edit": "knock_out"}]}"#),
        (
            "json",
            r#"{"hook": [{"site": "hook_embed", "edit": {"scale": {"factor": 1, "skips": 2}}}]}"#,
        ),
        (
            "json",
            r#"{"hook": [{"site": "hook_embed", "positions": {"skips": 2}, "edit": "knock_out"}]}"#,
        ),
    ] {
        let error = chain(&loaded(extension, text).unwrap_err());
        // Of TOML, the lines before the last one show the text.
        assert!(error.lines().last().is_some_and(|line| line.contains("skips")), "{error}");
    }
}

#[test]
fn a_selection_that_the_site_does_not_have_is_refused_by_name() {
    for (site, given, allowed) in [
        ("blocks.5.hook_resid_post", "heads = [1]", "sequences, positions, channels"),
        ("blocks.5.attn.hook_z", "neurons = [1]", "sequences, heads, positions, channels"),
        ("blocks.5.attn.hook_pattern", "positions = 'last'", "sequences, heads, queries, keys"),
        ("blocks.5.attn.hook_pattern", "channels = [1]", "sequences, heads, queries, keys"),
        ("blocks.5.mlp.hook_post", "channels = [1]", "sequences, positions, neurons"),
        ("blocks.5.ln1.hook_scale", "tokens = [0]", "sequences, positions"),
        ("hook_unembed", "keys = 0", "sequences, positions, tokens"),
        ("hook_unembed", "queries = 0", "sequences, positions, tokens"),
    ] {
        let text =
            format!("[[hook]]\nsite = '{site}'\n{given}\nedit = {{ scale = {{ factor = 1 }} }}");
        let given = given.split(' ').next().unwrap();
        let expected = format!("`{given}` cannot be selected at {site}, allowed: {allowed}");
        assert_refused("toml", &text, &expected);
    }
}

#[test]
fn what_a_constructor_refuses_is_refused_in_a_file() {
    let refused = |site: &str, edit: &str, expected: &str| {
        let hook = format!("[[hook]]\nsite = '{site}'\nedit = {edit}");
        assert_refused("toml", &hook, expected);
        assert_refused("toml", &hook, "hooks.toml: hook 0 cannot be loaded");
    };
    let embed = "hook_embed";
    refused(embed, "{ scale = { factor = nan } }", "the scaling factor is NaN");
    refused(embed, "{ gaussian_noise = { std = inf, seed = 1 } }", "noise is inf, a finite number");
    refused(
        embed,
        "{ uniform_noise = { half_width = -1, seed = 1 } }",
        "is -1, allowed: 0 or more",
    );
    refused(
        "blocks.0.attn.hook_pattern",
        "'knock_out'",
        "it has no meaning at that site, allowed: attn_scores",
    );
    refused("blocks.0.hook_resid_pst", "'knock_out'", "`blocks.0.hook_resid_pst` is no hook site");
    refused(embed, "{ set = { value = 'hook.0' } }", "hooks.toml.safetensors: no such file");
    let mut hooks = Interventions::new();
    hooks.steer(At::embed(), &vector(0.0), 1.5).unwrap();
    hooks.interpolate(At::unembed(), &vector(0.0), 2.5).unwrap();
    let (_directory, path) = saved(&hooks, "toml");
    let text = std::fs::read_to_string(&path).unwrap();
    for (number, what) in [("1.5", "the coefficient is inf"), ("2.5", "the weight is inf")] {
        std::fs::write(&path, text.replace(number, "inf")).unwrap();
        let error = chain(&Interventions::load(&path).unwrap_err());
        assert!(error.contains(what), "{error}");
    }
}

#[test]
fn a_wrong_seed_or_position_is_refused_with_what_is_allowed() {
    let refused = |positions: &str, seed: &str, expected: &str| {
        let edit = format!("edit = {{ shuffle_positions = {{ seed = {seed} }} }}");
        let hook = format!("[[hook]]\nsite = 'hook_embed'\npositions = {positions}\n{edit}");
        assert_refused("toml", &hook, expected);
    };
    for seed in ["-1", "1.5", "true"] {
        refused("'all'", seed, "expected a seed: a whole number from 0");
    }
    refused("'all'", "'18446744073709551616'", "number too large");
    let allowed =
        r#""all", "last", a position, a list of them, { from, to }, { from } or { from_end }"#;
    for positions in ["'first'", "-1", "1.5", "{ to = 1 }", "{ from = 1, to = 2, from_end = 1 }"] {
        refused(positions, "1", allowed);
    }
    let largest =
        r#"{"site": "hook_embed", "positions": 18446744073709551615, "edit": "knock_out"}"#;
    assert_refused("json", &format!(r#"{{"hook": [{largest}]}}"#), allowed);
}

#[test]
fn an_extension_other_than_toml_and_json_is_refused() {
    let directory = tempfile::tempdir().unwrap();
    for (name, given) in [("hooks.yaml", "yaml"), ("hooks", ""), ("hooks.TOML", "TOML")] {
        let expected = format!("the file extension `{given}` is not known, allowed: toml, json");
        let path = directory.path().join(name);
        assert_eq!(Interventions::new().save(&path).unwrap_err().to_string(), expected);
        assert_eq!(Interventions::load(&path).unwrap_err().to_string(), expected);
    }
    assert!(names(directory.path()).is_empty());
}

#[test]
fn a_damaged_file_or_a_missing_tensor_is_an_error_that_names_it() {
    let (_directory, path) = saved(&everything(), "toml");
    let (text, tensors) = (std::fs::read_to_string(&path).unwrap(), tensors_beside(&path));
    let error = || chain(&Interventions::load(&path).unwrap_err());

    std::fs::write(&path, text.replace(r#"value = "hook.2""#, r#"value = "hook.99""#)).unwrap();
    let missing = error();
    let expected = format!("{}: no tensor `hook.99`, stored: hook.", tensors.display());
    assert!(missing.contains(&expected), "{missing}");

    // By hand: the text says nothing of the file, which has the text's name.
    let line = text.lines().find(|line| line.starts_with("tensors_sha256")).unwrap();
    std::fs::write(&path, text.replace(line, "")).unwrap();
    let by_hand = path.with_file_name("hooks.toml.safetensors");
    std::fs::rename(&tensors, &by_hand).unwrap();
    Interventions::load(&path).unwrap();
    let whole = std::fs::read(&by_hand).unwrap();
    for len in [0, 7, 100, whole.len() - 1] {
        std::fs::write(&by_hand, &whole[..len]).unwrap();
        let truncated = error();
        assert!(
            truncated.contains("hooks.toml.safetensors: not a valid safetensors file"),
            "{truncated}"
        );
    }

    for digest in ["", "0123", &"g".repeat(64), &"A".repeat(64), &"é".repeat(32)] {
        std::fs::write(&path, format!("tensors_sha256 = '{digest}'")).unwrap();
        let expected = "expected a SHA-256: 64 digits from 0 to 9 and a to f";
        assert!(error().contains(expected), "{}", error());
    }

    std::fs::write(&path, "hook = [").unwrap();
    assert!(error().contains("hooks.toml: malformed TOML"));
    assert_refused("json", "{", "hooks.json: malformed JSON");
    std::fs::remove_file(&path).unwrap();
    assert!(matches!(Interventions::load(&path), Err(Error::File(FileError::NotFound { .. }))));
}

#[test]
fn what_could_not_be_loaded_for_its_size_is_not_saved() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("hooks.json");
    let mut hooks = Interventions::new();
    hooks.zero(At::resid_post(0).channels(0..1_500_000));
    let error = hooks.save(&path).unwrap_err();
    assert!(error.to_string().ends_with(" bytes, allowed: 16777216"), "{error}");
    assert!(names(directory.path()).is_empty());
}

#[test]
fn a_saved_site_prints_as_the_site_itself() {
    for site in Site::all(3) {
        let mut hooks = Interventions::new();
        hooks.zero(At::site(site));
        let (_directory, path) = saved(&hooks, "json");
        let back = Interventions::load(&path).unwrap();
        let hook = match site.layer() {
            Some(layer) => &back.hooks(layer)[0],
            None => &back.hooks_outside_blocks()[0],
        };
        assert_eq!(hook.site(), site);
    }
}
