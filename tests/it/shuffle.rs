//! What a shuffle keeps, what it changes, and where it is refused.

use hooked_gpt2::hook::{At, Hook, HookRegistry, Positions, Site};
use hooked_gpt2::intervention::{Add, Interpolate, Interventions, Noise, Scale, Set, Shuffle};
use hooked_gpt2::tch::{Device, Kind, Tensor};
use hooked_gpt2::{Batch, Gpt2, Precision};

use crate::support::{assert_identical, reason, single, tiny};

const PROMPT: [u32; 6] = [3, 14, 15, 92, 65, 35];

/// The embeddings, which are the same in any batch, before and after a shuffle.
fn shuffled(model: &Gpt2, batch: &Batch, shuffle: Shuffle) -> Vec<Tensor> {
    let mut hooks = Interventions::new();
    hooks.shuffle(At::embed(), shuffle);
    captured(model, batch, Site::embed(), &hooks)
}

fn captured(model: &Gpt2, batch: &Batch, site: Site, hooks: &Interventions) -> Vec<Tensor> {
    let run = model.run(batch).hooks(hooks).capture([site]).execute().unwrap();
    (0..batch.sequences().len()).map(|i| run.activations.get(site, i).unwrap()).collect()
}

fn rows(tensor: &Tensor) -> Vec<Vec<f64>> {
    Vec::<Vec<f64>>::try_from(tensor.flatten(1, -1)).unwrap()
}

fn sorted<T: PartialOrd>(mut all: Vec<T>) -> Vec<T> {
    all.sort_by(|a, b| a.partial_cmp(b).unwrap());
    all
}

#[test]
fn shuffled_positions_hold_the_same_vectors_in_another_order() {
    let model = tiny(Precision::F64);
    let batch = single(&PROMPT);
    for site in [Site::embed(), Site::z(1), Site::mlp_post(2), Site::unembed()] {
        let mut hooks = Interventions::new();
        hooks.shuffle(At::site(site), Shuffle::positions(3));
        let clean = rows(&captured(&model, &batch, site, &Interventions::new())[0]);
        let mixed = rows(&captured(&model, &batch, site, &hooks)[0]);
        assert_ne!(mixed, clean, "{site}");
        assert_eq!(sorted(mixed), sorted(clean), "{site}");
    }
}

#[test]
fn shuffled_channels_hold_the_same_numbers_in_another_order_in_each_vector() {
    let model = tiny(Precision::F64);
    let batch = single(&PROMPT);
    for site in [Site::embed(), Site::z(1), Site::mlp_post(2), Site::unembed()] {
        let mut hooks = Interventions::new();
        hooks.shuffle(At::site(site), Shuffle::channels(3));
        let vectors = |hooks: &Interventions| {
            let tensor = captured(&model, &batch, site, hooks).remove(0);
            rows(&tensor.flatten(0, -2))
        };
        for (clean, mixed) in vectors(&Interventions::new()).into_iter().zip(vectors(&hooks)) {
            assert_ne!(mixed, clean, "{site}");
            assert_eq!(sorted(mixed), sorted(clean), "{site}");
        }
    }
}

#[test]
fn what_is_not_selected_stays_where_it_is() {
    let model = tiny(Precision::F64);
    let batch = single(&PROMPT);
    let clean = captured(&model, &batch, Site::z(1), &Interventions::new()).remove(0);
    let place = || At::z(1).heads([1]).positions(Positions::range(1..5)).channels([0, 2, 4, 6]);
    for shuffle in [Shuffle::positions(2), Shuffle::channels(2)] {
        let mut hooks = Interventions::new();
        hooks.shuffle(place(), shuffle);
        let mixed = captured(&model, &batch, Site::z(1), &hooks).remove(0);
        let moved = |tensor: &Tensor| tensor.narrow(0, 1, 4).select(1, 1).slice(1, 0, 8, 2);
        assert!(!moved(&mixed).equal(&moved(&clean)));
        moved(&mixed).copy_(&moved(&clean));
        assert_identical(&mixed, &clean);
    }
}

#[test]
fn a_shuffle_belongs_to_an_example_however_it_is_batched() {
    let model = tiny(Precision::F64);
    let (a, b) = (PROMPT.to_vec(), vec![5, 4, 3]);
    let numbered = |sequences: &[&Vec<u32>], examples: &[u64]| {
        let batch = Batch::new(sequences.iter().map(|&tokens| tokens.clone())).unwrap();
        batch.with_examples(examples.iter().copied()).unwrap()
    };
    for shuffle in [Shuffle::positions(4), Shuffle::channels(4)] {
        let of = |batch: Batch| shuffled(&model, &batch, shuffle);
        let together = of(numbered(&[&a, &b, &a], &[7, 8, 9]));
        let turned = of(numbered(&[&a, &a, &b], &[9, 7, 8]));
        assert_identical(&together[0], &turned[1]);
        assert_identical(&together[1], &turned[2]);
        assert_identical(&together[2], &turned[0]);
        assert_identical(&together[2], &of(numbered(&[&a], &[9]))[0]);
        assert!(!together[0].equal(&together[2]));
    }
}

/// Where each vector went: the channels' numbers, set before they change places.
fn orders(model: &Gpt2, site: Site, seed: u64) -> Vec<Vec<f64>> {
    let count = Tensor::arange(8, (Kind::Double, Device::Cpu));
    let mut hooks = Interventions::new();
    hooks.set(At::site(site), &count).unwrap().shuffle(At::site(site), Shuffle::channels(seed));
    rows(&captured(model, &single(&PROMPT), site, &hooks)[0].flatten(0, -2))
}

#[test]
fn seed_site_position_and_head_each_change_the_order() {
    let model = tiny(Precision::F64);
    let z = orders(&model, Site::z(1), 0);
    assert_ne!(z, orders(&model, Site::z(1), 1));
    assert_ne!(z, orders(&model, Site::z(2), 0));
    let mut distinct = sorted(z);
    distinct.dedup();
    assert_eq!(distinct.len(), 6 * 3, "6 positions with 3 heads each");
    let [one, other] =
        [0, 1].map(|seed| shuffled(&model, &single(&PROMPT), Shuffle::positions(seed)).remove(0));
    assert!(!one.equal(&other));
}

#[test]
fn every_order_of_three_positions_is_drawn_as_often_as_any_other() {
    let model = tiny(Precision::F64);
    let batch = Batch::new(vec![[1, 2, 3]; 600]).unwrap();
    let mixed = shuffled(&model, &batch, Shuffle::positions(0));
    let all: Vec<Vec<Vec<f64>>> = sorted(mixed.iter().map(rows).collect());
    let counts: Vec<usize> = all.chunk_by(|a, b| a == b).map(<[_]>::len).collect();
    // 100 each, and five standard deviations of a binomial distribution are 46.
    assert_eq!(counts.len(), 6);
    assert!(counts.iter().all(|count| (54..=146).contains(count)), "{counts:?}");
}

#[test]
fn a_shuffle_that_can_change_nothing_is_refused_before_the_run() {
    let model = tiny(Precision::F64);
    let refused = |prompt: &[u32], hooks: &Interventions| {
        let error = model.run(&single(prompt)).hooks(hooks).execute().unwrap_err();
        reason(&error).to_string()
    };
    let mut hooks = Interventions::new();
    hooks.shuffle(At::resid_pre(1).positions(Positions::last()), Shuffle::positions(0));
    assert_eq!(refused(&PROMPT, &hooks), "1 selected, at least 2 are needed to change places");
    let mut hooks = Interventions::new();
    hooks.shuffle(At::resid_pre(1), Shuffle::positions(0));
    assert!(refused(&[1], &hooks).starts_with("1 selected"));
    let mut hooks = Interventions::new();
    hooks.shuffle(At::ln_final_scale(), Shuffle::channels(0));
    assert!(refused(&PROMPT, &hooks).starts_with("1 selected"));
}

#[test]
fn a_shuffle_in_attention_is_refused_before_the_run() {
    let model = tiny(Precision::F64);
    for site in [At::pattern(1), At::attn_scores(1)] {
        for shuffle in [Shuffle::positions(0), Shuffle::channels(0)] {
            let mut hooks = Interventions::new();
            hooks.shuffle(site.clone(), shuffle);
            let error = model.run(&single(&PROMPT)).hooks(&hooks).execute().unwrap_err();
            assert_eq!(
                reason(&error).to_string(),
                "it has no meaning at that site, allowed: all but attn_scores and pattern"
            );
        }
    }
}

#[test]
fn edits_say_whether_they_overwrite_what_was_there() {
    let vector = Tensor::ones([1], (Kind::Double, Device::Cpu));
    let overwrites = |hook: &Hook| hook.edit().overwrites();
    let interpolate = |weight| Interpolate::new(&vector, weight).unwrap();
    let at = || At::resid_pre(0);
    assert!(!overwrites(&Hook::new(at(), Shuffle::positions(0))));
    assert!(!overwrites(&Hook::new(at(), Shuffle::channels(0))));
    assert!(!overwrites(&Hook::new(at(), Noise::gaussian(1.0, 0).unwrap())));
    assert!(!overwrites(&Hook::new(at(), Add::new(&vector, 1.0).unwrap())));
    assert!(overwrites(&Hook::new(at(), Set::new(&vector).unwrap())));
    assert!(!overwrites(&Hook::new(at(), Scale::new(0.5).unwrap())));
    assert!(overwrites(&Hook::new(at(), Scale::ZERO)));
    assert!(!overwrites(&Hook::new(at(), interpolate(0.5))));
    assert!(overwrites(&Hook::new(at(), interpolate(1.0))));
    let mut hooks = Interventions::new();
    hooks.knock_out(0, [1], Positions::last(), Positions::at(0));
    assert!(overwrites(&hooks.hooks(0)[0]));
}
