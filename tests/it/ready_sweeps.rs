//! The ready-made sweeps do what their names say: each point against hooks written out by hand.

use hooked_gpt2::Activations;
use hooked_gpt2::error::{SelectionError, SweepError};
use hooked_gpt2::hook::{At, Positions, Site};
use hooked_gpt2::intervention::{Interventions, Noise};
use hooked_gpt2::sweep::{Measure, Replacement, Sweep, Variants};
use hooked_gpt2::tch::{Device, Kind, Tensor};
use hooked_gpt2::{Batch, Checkpoint, Error, Gpt2, Precision};

use crate::tolerance;

const CLEAN: [[u32; 5]; 2] = [[3, 14, 15, 92, 65], [35, 89, 79, 32, 38]];
const CORRUPTED: [[u32; 5]; 2] = [[3, 46, 15, 92, 65], [35, 89, 26, 32, 38]];
const TOKEN: usize = 42;

/// Trained: the outlier channels of the tiny model hide small changes.
fn bundled() -> Gpt2 {
    Gpt2::load(&Checkpoint::bundled().unwrap(), Precision::F64, Device::Cpu).unwrap().0
}

fn batch() -> Batch {
    Batch::new(CORRUPTED).unwrap()
}

fn clean_run(model: &Gpt2) -> Activations {
    let batch = Batch::new(CLEAN).unwrap();
    let sites = (0..model.config().n_layers).flat_map(Site::of_block);
    model.run(&batch).capture(sites).without_logits().execute().unwrap().activations
}

/// Checks one point of a sweep, in the second sequence, against hooks written out for it.
#[track_caller]
fn assert_point(
    model: &Gpt2,
    variants: &Variants,
    (names, point): (&[&str], &[usize]),
    hooks: impl FnOnce(&mut Interventions),
) {
    let batch = batch();
    let logit = Measure::new("logit", |reading| Ok(reading.logits[TOKEN]));
    let plan = Sweep::new(model, &batch).plan(variants).unwrap();
    let results = plan.measure(&[&logit]).unwrap();
    let axes: Vec<&str> = variants.axes().iter().map(|axis| axis.name.as_str()).collect();
    assert_eq!(axes, names);
    let index: Vec<usize> = point.iter().copied().chain([1, 0]).collect();
    let swept = results.values("logit").unwrap()[&index[..]];

    let mut by_hand = Interventions::new();
    hooks(&mut by_hand);
    let alone = Batch::single(CORRUPTED[1]).unwrap().with_examples([1]).unwrap();
    let output = model.run(&alone).hooks(&by_hand).execute().unwrap();
    let expected = output.logits.last(0).unwrap()[TOKEN];
    assert!((swept - expected).abs() <= tolerance::F64, "{swept}, by hand {expected}");
    let base = results.base("logit").unwrap()[[1, 0]];
    assert!((swept - base).abs() > 1e-6, "the point changes nothing");
}

#[test]
fn layers_are_scaled_by_each_factor_and_skipped_alone_and_in_runs() {
    let (model, batch) = (bundled(), batch());
    let config = model.config();
    let factors = Variants::layer_factors(0..config.n_layers, &[0.6, -2.0], &batch).unwrap();
    assert_point(&model, &factors, (&["layer", "factor"], &[1, 1]), |hooks| {
        hooks.scale(At::resid_post(1), -2.0).unwrap();
    });
    let two = Variants::layer_factors([3, 1], &[0.6, -2.0], &batch).unwrap();
    assert_eq!(two.axes()[0].labels, ["3", "1"]);
    assert_point(&model, &two, (&["layer", "factor"], &[0, 1]), |hooks| {
        hooks.scale(At::resid_post(3), -2.0).unwrap();
    });
    let blocks = Variants::skipped_blocks(config, &batch).unwrap();
    assert_point(&model, &blocks, (&["layer"], &[2]), |hooks| {
        hooks.skip(2);
    });
    let runs = Variants::skipped_runs(config, &batch).unwrap();
    assert_eq!(runs.n_points(), 12 * 13 / 2);
    assert_eq!(runs.axes()[0].labels[11..14], ["11..12", "0..2", "1..3"]);
    assert_point(&model, &runs, (&["blocks"], &[13]), |hooks| {
        hooks.skip(1).skip(2);
    });
}

#[test]
fn components_heads_and_neurons_are_replaced_by_zero_mean_and_another_run() {
    let (model, batch) = (bundled(), batch());
    let config = model.config();
    let clean = clean_run(&model);
    let zero = Variants::ablated_components(config, Replacement::Zero, &batch).unwrap();
    assert_point(&model, &zero, (&["layer", "component"], &[1, 0]), |hooks| {
        hooks.zero(At::attn_out(1));
    });

    let reference = Batch::new(CLEAN).unwrap();
    let sites = || (0..config.n_layers).map(Site::z);
    let z = |sequence| clean.get(Site::z(1), sequence).unwrap().narrow(1, 2, 1);
    let means = model.run(&reference).mean_over_tokens(sites()).unwrap();
    let heads = Variants::ablated_heads(config, Replacement::Mean(&means), &batch).unwrap();
    assert_point(&model, &heads, (&["layer", "head"], &[1, 2]), |hooks| {
        let mean = Tensor::cat(&[z(0), z(1)], 0).mean_dim(0, false, Kind::Double);
        hooks.set(At::z(1).heads([2]), &mean).unwrap();
    });
    let means = model.run(&reference).mean_by_position(sites()).unwrap();
    let heads = Variants::ablated_heads(config, Replacement::Mean(&means), &batch).unwrap();
    assert_point(&model, &heads, (&["layer", "head"], &[1, 2]), |hooks| {
        hooks.set(At::z(1).heads([2]), &((z(0) + z(1)) / 2.0)).unwrap();
    });
    // The second sequence is of the template of the first prompt.
    let means = model.run(&reference).mean_by_template(sites(), &[1, 0]).unwrap();
    let of_template = Replacement::MeanByTemplate { means: &means, template_of: &[0, 1] };
    let heads = Variants::ablated_heads(config, of_template, &batch).unwrap();
    assert_point(&model, &heads, (&["layer", "head"], &[1, 2]), |hooks| {
        hooks.set(At::z(1).heads([2]), &z(0)).unwrap();
    });

    let other = Replacement::Resample(&clean);
    let neurons = Variants::ablated_neurons(1, &[5, 90], other, &batch).unwrap();
    assert_eq!(neurons.axes()[0].labels, ["5", "90"]);
    let from_clean = clean.get(Site::mlp_post(1), 1).unwrap();
    assert_point(&model, &neurons, (&["neuron"], &[1]), |hooks| {
        hooks.set(At::mlp_post(1).neurons([90]), &from_clean.narrow(1, 90, 1)).unwrap();
    });
}

#[test]
fn grids_patch_positions_heads_and_both() {
    let (model, batch) = (bundled(), batch());
    let config = model.config();
    let clean = clean_run(&model);
    let other = Replacement::Resample(&clean);
    let value = |site: Site| clean.get(site, 1).unwrap();

    let grid = Variants::patched_positions(config, Site::resid_pre, other, &batch).unwrap();
    assert_point(&model, &grid, (&["layer", "position"], &[1, 2]), |hooks| {
        let at = At::resid_pre(1).positions(Positions::at(2));
        hooks.set(at, &value(Site::resid_pre(1)).get(2)).unwrap();
    });
    let reference = Batch::single(CLEAN[1]).unwrap();
    let sites = (0..config.n_layers).map(Site::attn_out);
    let means = model.run(&reference).mean_over_tokens(sites).unwrap();
    let means = Replacement::Mean(&means);
    let grid = Variants::patched_positions(config, Site::attn_out, means, &batch).unwrap();
    assert_point(&model, &grid, (&["layer", "position"], &[0, 3]), |hooks| {
        let at = At::attn_out(0).positions(Positions::at(3));
        let mean = value(Site::attn_out(0)).mean_dim(0, false, Kind::Double);
        hooks.set(at, &mean).unwrap();
    });

    let heads = Variants::patched_heads(config, Site::pattern, other, &batch).unwrap();
    assert_point(&model, &heads, (&["layer", "head"], &[1, 0]), |hooks| {
        hooks.set(At::pattern(1).heads([0]), &value(Site::pattern(1)).narrow(0, 0, 1)).unwrap();
    });
    let grid = Variants::patched_head_positions(config, Site::v, other, &batch).unwrap();
    assert_point(&model, &grid, (&["layer", "head", "position"], &[1, 1, 2]), |hooks| {
        let at = At::v(1).heads([1]).positions(Positions::at(2));
        hooks.set(at, &value(Site::v(1)).narrow(0, 2, 1).narrow(1, 1, 1)).unwrap();
    });
    let grid = Variants::patched_head_positions(config, Site::pattern, other, &batch).unwrap();
    assert_point(&model, &grid, (&["layer", "head", "position"], &[1, 0, 4]), |hooks| {
        let at = At::pattern(1).heads([0]).queries(Positions::at(4));
        hooks.set(at, &value(Site::pattern(1)).narrow(0, 0, 1).narrow(1, 4, 1)).unwrap();
    });

    let ragged = Batch::new([vec![1, 2, 3], vec![4, 5]]).unwrap();
    let uneven = Variants::patched_positions(config, Site::resid_pre, Replacement::Zero, &ragged);
    assert!(matches!(
        uneven.err(),
        Some(Error::Sweep(SweepError::UnequalLengths { first: 3, other: 2 }))
    ));
    let headless = Variants::patched_heads(config, Site::mlp_out, other, &batch).err();
    assert!(matches!(headless, Some(Error::Selection(SelectionError::SelectionAtSite { .. }))));
}

/// Of 5 and 3 tokens, and what is patched into them.
const RAGGED: [&[u32]; 2] = [&[3, 14, 15, 92, 65], &[35, 89, 79]];
const OTHER: [&[u32]; 2] = [&[3, 46, 15, 20, 65], &[35, 26, 32]];

#[test]
fn a_place_is_patched_where_it_is_in_each_sequence_of_any_length() {
    let model = bundled();
    let (batch, config) = (Batch::new(RAGGED).unwrap(), model.config());
    let sites = (0..config.n_layers).flat_map(|layer| [Site::resid_mid(layer), Site::z(layer)]);
    let other = model.run(&Batch::new(OTHER).unwrap()).capture(sites).execute().unwrap();
    let with = Replacement::Resample(&other.activations);
    let ends = [2..4, 0..2];
    let places = [("pair", ends.to_vec()), ("END", vec![4..5, 2..3])];
    let stream = Variants::patched_places(config, Site::resid_mid, &places, with, &batch).unwrap();
    let heads = Variants::patched_head_places(config, Site::z, &places, with, &batch).unwrap();
    assert_eq!(stream.axes()[0].labels.len(), config.n_layers);
    assert_eq!((&*stream.axes()[1].name, stream.axes()[1].labels.len()), ("place", 2));
    assert_eq!(heads.axes()[2].labels, ["pair", "END"]);

    let logit = Measure::new("logit", |reading| Ok(reading.logits[TOKEN]));
    let swept = |variants| {
        let results = Sweep::new(&model, &batch).plan(variants).unwrap().measure(&[&logit]);
        results.unwrap().values("logit").unwrap().to_owned()
    };
    let (stream, heads) = (swept(&stream), swept(&heads));
    let by_hand = |sequence: usize, hooks: &Interventions| {
        let alone = Batch::single(RAGGED[sequence]).unwrap();
        let output = model.run(&alone).hooks(hooks).execute().unwrap();
        output.logits.last(0).unwrap()[TOKEN]
    };
    for (sequence, end) in [4, 2].into_iter().enumerate() {
        let clean = by_hand(sequence, &Interventions::new());
        for (place, tokens) in [ends[sequence].clone(), end..end + 1].into_iter().enumerate() {
            let positions = Positions::range(tokens.clone());
            let value = |site: Site| {
                let whole = other.activations.get(site, sequence).unwrap();
                whole.narrow(0, tokens.start as i64, tokens.len() as i64)
            };
            let mut hooks = Interventions::new();
            let at = At::resid_mid(3).positions(positions.clone());
            hooks.set(at, &value(Site::resid_mid(3))).unwrap();
            let of_head = value(Site::z(1)).narrow(1, 2, 1);
            let mut head = Interventions::new();
            head.set(At::z(1).heads([2]).positions(positions), &of_head).unwrap();
            for (found, hooks) in [
                (stream[[3, place, sequence, 0]], &hooks),
                (heads[[1, 2, place, sequence, 0]], &head),
            ] {
                let expected = by_hand(sequence, hooks);
                assert!((found - expected).abs() <= tolerance::F64, "{found}, not {expected}");
                assert!((found - clean).abs() > 1e-6, "nothing is patched");
            }
        }
    }
}

#[test]
fn a_place_that_is_not_once_in_each_sequence_is_refused() {
    let model = bundled();
    let (batch, config) = (Batch::new(RAGGED).unwrap(), model.config());
    let error = |places: &[(&str, Vec<std::ops::Range<usize>>)]| {
        let site = Site::resid_pre;
        let refused = Variants::patched_places(config, site, places, Replacement::Zero, &batch);
        refused.err().unwrap().to_string()
    };
    assert_eq!(
        error(&[("END", vec![4..5, 2..3]), ("S2", vec![1..2, 0..1, 0..1])]),
        "the place `S2` is named in 3 sequences of 2, in each once is needed"
    );
    assert_eq!(
        error(&[("END", vec![4..5, 2..4])]),
        "positions 2..4 do not fit sequence 1, which has 3 tokens"
    );
    assert_eq!(
        error(&[("END", vec![3..3, 2..3])]),
        "no position is selected, at least one is needed"
    );
    assert_eq!(error(&[]), "the axis `place` is empty, at least one value is needed");
}

#[test]
fn noise_and_steering_come_in_the_amounts_asked_for() {
    let (model, batch) = (bundled(), batch());
    let at = At::embed().positions(Positions::at(2));
    let noise = Variants::noise_levels(&at, &[0.1, 3.0], 7, &batch).unwrap();
    assert_point(&model, &noise, (&["std"], &[1]), |hooks| {
        hooks.noise(at.clone(), Noise::gaussian(3.0, 7).unwrap());
    });
    let vector =
        Tensor::linspace(-1.0, 2.0, model.config().d_model as i64, (Kind::Double, Device::Cpu));
    let at = At::resid_mid(1);
    let steered = Variants::steered(&at, &vector, &[1.0, -5.0], &batch).unwrap();
    assert_eq!(steered.axes()[0].labels, ["1", "-5"]);
    assert_point(&model, &steered, (&["coefficient"], &[1]), |hooks| {
        hooks.steer(At::resid_mid(1), &vector, -5.0).unwrap();
    });
}
