//! What noise is added, and what it does not depend on.

use hooked_gpt2::error::InterventionError;
use hooked_gpt2::hook::at::HeadVectors;
use hooked_gpt2::hook::{At, Positions, Site};
use hooked_gpt2::intervention::{Interventions, Noise};
use hooked_gpt2::tch::{Kind, Tensor};
use hooked_gpt2::{Batch, Error, Gpt2, Precision};

use crate::support::{assert_identical, largest, reason, single, tiny};

const PROMPT: [u32; 5] = [3, 14, 15, 92, 65];

fn gaussian(seed: u64) -> Noise {
    Noise::gaussian(1.0, seed).unwrap()
}

/// What is added at `site` to each sequence of `batch`: the site is set to zero before.
fn added(model: &Gpt2, batch: &Batch, site: Site, noise: Noise) -> Vec<Tensor> {
    let mut hooks = Interventions::new();
    hooks.zero(At::site(site)).noise(At::site(site), noise);
    captured(model, batch, site, &hooks)
}

fn captured(model: &Gpt2, batch: &Batch, site: Site, hooks: &Interventions) -> Vec<Tensor> {
    let run = model.run(batch).hooks(hooks).capture([site]).execute().unwrap();
    (0..batch.sequences().len()).map(|i| run.activations.get(site, i).unwrap()).collect()
}

#[test]
fn noise_belongs_to_an_example_however_it_is_batched() {
    let model = tiny(Precision::F64);
    let (a, b, c) = (vec![1, 2, 3], vec![4, 5], vec![6, 7, 8]);
    let numbered = |sequences: &[&Vec<u32>], examples: &[u64]| {
        let batch = Batch::new(sequences.iter().map(|&tokens| tokens.clone())).unwrap();
        batch.with_examples(examples.iter().copied()).unwrap()
    };
    let together = numbered(&[&a, &b, &c], &[10, 11, 12]);
    let turned = numbered(&[&c, &a, &b], &[12, 10, 11]);
    let alone = numbered(&[&c], &[12]);
    for site in [Site::embed(), Site::resid_mid(1), Site::z(2), Site::pattern(0), Site::unembed()] {
        let [together, turned, alone] =
            [&together, &turned, &alone].map(|batch| added(&model, batch, site, gaussian(5)));
        for (one, other) in [(0, 1), (1, 2), (2, 0)] {
            assert_identical(&together[one], &turned[other]);
        }
        assert_identical(&together[2], &alone[0]);
        assert!(!together[0].equal(&together[2]), "{site}");
    }
}

#[test]
fn one_prompt_as_two_examples_gets_two_noises() {
    let model = tiny(Precision::F64);
    let twice = Batch::new([PROMPT, PROMPT]).unwrap();
    let [first, second] =
        [0, 1].map(|i| added(&model, &twice, Site::embed(), gaussian(1))[i].copy());
    assert!(!first.equal(&second));
    let same = twice.with_examples([1, 1]).unwrap();
    let same = added(&model, &same, Site::embed(), gaussian(1));
    assert_identical(&same[0], &same[1]);
    assert_identical(&same[0], &second);
}

#[test]
fn a_narrowed_selection_gets_the_numbers_of_the_whole() {
    let model = tiny(Precision::F64);
    let (batch, site) = (single(&PROMPT), Site::z(1));
    let noised = |at: At<HeadVectors>| {
        let mut hooks = Interventions::new();
        hooks.zero(At::z(1)).noise(at, gaussian(2));
        captured(&model, &batch, site, &hooks).remove(0)
    };
    let whole = noised(At::z(1));
    let part = noised(At::z(1).heads([2]).positions(Positions::several([1, 4])).channels([0, 5]));
    for (position, head, channel) in [(1, 2, 0), (1, 2, 5), (4, 2, 0), (4, 2, 5)] {
        let at = [position, head, channel];
        assert_eq!(part.double_value(&at), whole.double_value(&at), "{at:?}");
    }
    assert_eq!(part.count_nonzero(None).int64_value(&[]), 4);
}

#[test]
fn seed_site_position_and_head_each_change_the_noise() {
    let model = tiny(Precision::F64);
    let batch = single(&PROMPT);
    let at = |site, seed| added(&model, &batch, site, gaussian(seed)).remove(0);
    let z = at(Site::z(1), 0);
    let others = [at(Site::z(1), 1), at(Site::z(2), 0), at(Site::q(1), 0)];
    for other in &others {
        assert!(!z.equal(other));
    }
    assert!(!z.get(0).equal(&z.get(1)));
    assert!(!z.get(0).get(0).equal(&z.get(0).get(1)));
}

#[test]
fn noise_has_the_stated_mean_and_deviation() {
    let model = tiny(Precision::F64);
    let batch = single(&(0..24).collect::<Vec<u32>>());
    let count = added(&model, &batch, Site::unembed(), gaussian(0))[0].numel() as f64;
    assert!(count >= 2000.0);
    // Five standard errors: one seed in two million would fail.
    let [of_mean, of_std] = [5.0 / count.sqrt(), 5.0 / (2.0 * count).sqrt()];
    let uniform_std = 1.0 / 3f64.sqrt();
    for (noise, std) in [
        (Noise::gaussian(0.5, 8).unwrap(), 0.5),
        (Noise::gaussian(3.0, 9).unwrap(), 3.0),
        (Noise::uniform(2.0, 8).unwrap(), 2.0 * uniform_std),
    ] {
        let drawn = added(&model, &batch, Site::unembed(), noise).remove(0);
        let mean = drawn.mean(Kind::Double).double_value(&[]);
        let deviation = drawn.std(true).double_value(&[]);
        assert!(mean.abs() < of_mean * std, "{noise:?}: {mean}");
        assert!((deviation / std - 1.0).abs() < of_std, "{noise:?}: {deviation}");
    }
    let uniform = added(&model, &batch, Site::unembed(), Noise::uniform(2.0, 8).unwrap());
    let largest = largest(&uniform[0]);
    assert!(largest <= 2.0 && largest > 1.98, "{largest}");
}

#[test]
fn noise_in_f32_is_that_in_f64_rounded() {
    let batch = single(&PROMPT);
    let [single, double] = [Precision::F32, Precision::F64].map(|precision| {
        added(&tiny(precision), &batch, Site::resid_mid(1), gaussian(3)).remove(0)
    });
    assert_eq!(single.kind(), Kind::Float);
    assert_identical(&single, &double.to_kind(Kind::Float));
    assert!(!double.equal(&single.to_kind(Kind::Double)));
}

#[test]
fn noise_is_added_to_what_was_there() {
    let model = tiny(Precision::F64);
    let (batch, site) = (single(&PROMPT), Site::mlp_out(0));
    let mut hooks = Interventions::new();
    hooks.noise(At::site(site), gaussian(4));
    let clean = captured(&model, &batch, site, &Interventions::new()).remove(0);
    let noise = added(&model, &batch, site, gaussian(4)).remove(0);
    assert_identical(&captured(&model, &batch, site, &hooks)[0], &(clean + noise));
}

/// Printed by `tests/fixtures/chacha8.py`.
#[test]
fn the_numbers_are_those_of_chacha8_keyed_by_the_place() {
    let model = tiny(Precision::F64);
    let batch = single(&PROMPT).with_examples([(1 << 40) + 3]).unwrap();
    let drawn = added(&model, &batch, Site::z(1), Noise::uniform(1.0, 7).unwrap()).remove(0);
    let expected = [
        0.836771526265317,
        0.5397209125698161,
        -0.7099291934018559,
        -0.7062271969725511,
        -0.5565956500884457,
        0.8451381318120179,
        0.06661270491301519,
        -0.7561231026460304,
    ];
    assert_eq!(Vec::<f64>::try_from(drawn.get(2).get(1)).unwrap(), expected);
}

#[test]
fn noise_in_attention_lets_no_query_see_more_keys() {
    let model = tiny(Precision::F32);
    let batch = single(&PROMPT);
    for site in [Site::attn_scores(1), Site::pattern(1)] {
        let mut hooks = Interventions::new();
        hooks.noise(At::site(site), gaussian(6));
        let clean = captured(&model, &batch, site, &Interventions::new()).remove(0);
        let noised = captured(&model, &batch, site, &hooks).remove(0);
        let changed = noised.not_equal_tensor(&clean);
        assert!(changed.equal(&changed.tril(0)), "{site}");
        assert_eq!(changed.count_nonzero(None).int64_value(&[]), 3 * 15, "{site}");
    }
}

#[test]
fn an_edge_that_is_knocked_out_stays_so_under_noise_beyond_f32() {
    let model = tiny(Precision::F32);
    let site = Site::attn_scores(1);
    for seed in 0..8 {
        let (queries, keys) = (Positions::at(3), Positions::range(0..2));
        let mut hooks = Interventions::new();
        hooks.knock_out(1, [2], queries.clone(), keys.clone());
        let cut = At::attn_scores(1).heads([2]).queries(queries).keys(keys);
        hooks.noise(cut, Noise::gaussian(3e38, seed).unwrap());
        let scores = captured(&model, &single(&PROMPT), site, &hooks).remove(0);
        let cut = scores.get(2).get(3).narrow(0, 0, 2);
        assert_eq!(Vec::<f64>::try_from(cut).unwrap(), [f64::NEG_INFINITY; 2]);
    }
}

#[test]
fn noise_beyond_the_number_format_of_the_run_is_refused_before_it() {
    let batch = single(&PROMPT);
    for noise in [Noise::gaussian(1e39, 0).unwrap(), Noise::uniform(1e39, 0).unwrap()] {
        let mut hooks = Interventions::new();
        hooks.noise(At::resid_post(1), noise);
        let error = tiny(Precision::F32).run(&batch).hooks(&hooks).execute().unwrap_err();
        let reason = reason(&error);
        assert!(
            matches!(reason, Error::Intervention(InterventionError::OutOfRange { .. })),
            "{error}"
        );
        assert!(tiny(Precision::F64).run(&batch).hooks(&hooks).execute().is_ok());
    }
}

#[test]
fn noise_that_is_negative_or_not_finite_is_refused() {
    for amount in [f64::NAN, f64::INFINITY, f64::NEG_INFINITY] {
        assert!(matches!(
            Noise::gaussian(amount, 0),
            Err(Error::Intervention(InterventionError::NotFinite { .. }))
        ));
        assert!(matches!(
            Noise::uniform(amount, 0),
            Err(Error::Intervention(InterventionError::NotFinite { .. }))
        ));
    }
    let error = |noise: Result<Noise, Error>| noise.unwrap_err().to_string();
    assert_eq!(
        error(Noise::gaussian(-0.5, 0)),
        "the standard deviation of the noise is -0.5, allowed: 0 or more"
    );
    assert_eq!(
        error(Noise::uniform(-2.0, 0)),
        "the half width of the noise is -2, allowed: 0 or more"
    );
}
