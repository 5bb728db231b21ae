//! What is kept of a site: before or after edits, at positions, or reduced on the way.

use hooked_gpt2::error::{AnalysisError, BatchError, CaptureError};
use hooked_gpt2::hook::{At, Capture, Moments, Positions, Site, SiteShape};
use hooked_gpt2::intervention::Interventions;
use hooked_gpt2::tch::{Kind, Tensor};
use hooked_gpt2::{Batch, Error, Gpt2, Precision, RunOutput};

use crate::support::{assert_identical, largest_difference, reason, single, tiny};
use crate::tolerance;

const PROMPTS: [&[u32]; 3] = [&[3, 14, 15, 92, 65], &[35, 89], &[79, 32, 38, 46, 26]];

fn batch() -> Batch {
    Batch::new(PROMPTS).unwrap()
}

fn sites(model: &Gpt2) -> Vec<Site> {
    Site::all(model.config().n_layers).collect()
}

/// The axis that counts positions, without `batch`; of attention, that of the queries.
fn pos(site: Site) -> i64 {
    i64::from(site.shape() == SiteShape::Attention)
}

fn whole(output: &RunOutput, site: Site, sequence: usize) -> Tensor {
    output.activations.get(site, sequence).unwrap()
}

#[test]
fn a_capture_before_edits_is_what_the_edit_was_given() {
    let model = tiny(Precision::F64);
    let batch = batch();
    let clean = model.run(&batch).capture(sites(&model)).execute().unwrap();
    for site in sites(&model) {
        let mut hooks = Interventions::new();
        hooks.scale(At::site(site), 0.5).unwrap();
        let before = Capture::new(site).before_edits();
        let run = model.run(&batch).hooks(&hooks).capture([&before]).capture([site]);
        let output = run.execute().unwrap();
        for sequence in 0..PROMPTS.len() {
            let given = output.activations.get(&before, sequence).unwrap();
            assert_identical(&given, &whole(&clean, site, sequence));
            assert_identical(&whole(&output, site, sequence), &(given * 0.5));
        }
    }
}

#[test]
fn a_capture_of_positions_holds_their_rows_alone() {
    let model = tiny(Precision::F32);
    let batch = batch();
    let clean = model.run(&batch).capture(sites(&model)).execute().unwrap();
    for site in sites(&model) {
        let last = Capture::new(site).positions(Positions::last());
        let some = Capture::new(site).positions(Positions::several([0, 1]));
        let output = model.run(&batch).capture([&last, &some]).execute().unwrap();
        for (sequence, prompt) in PROMPTS.iter().enumerate() {
            let (all, len) = (whole(&clean, site, sequence), prompt.len() as i64);
            let kept = output.activations.get(&last, sequence).unwrap();
            assert_identical(&kept, &all.narrow(pos(site), len - 1, 1));
            let kept = output.activations.get(&some, sequence).unwrap();
            assert_identical(&kept, &all.narrow(pos(site), 0, 2));
        }
    }
}

#[test]
fn a_capture_of_heads_holds_theirs_alone_also_reduced_and_of_gradients() {
    let model = tiny(Precision::F64);
    let batch = batch();
    let clean = model.run(&batch).capture(sites(&model)).execute().unwrap();
    let with_heads = |site: &Site| site.shape().to_string().contains("head,");
    let mut seen = 0;
    for site in sites(&model).into_iter().filter(with_heads) {
        let axis = i64::from(site.shape() != SiteShape::Attention);
        let some = Capture::new(site).heads([2, 0, 2]);
        let last = some.clone().positions(Positions::last());
        let norm = some.clone().norm();
        let output = model.run(&batch).capture([&some, &last]).capture([&norm]).execute().unwrap();
        for (sequence, prompt) in PROMPTS.iter().enumerate() {
            let two = Tensor::from_slice(&[0_i64, 2]);
            let expected = whole(&clean, site, sequence).index_select(axis, &two);
            assert_identical(&output.activations.get(&some, sequence).unwrap(), &expected);
            let row = expected.narrow(pos(site), prompt.len() as i64 - 1, 1);
            assert_identical(&output.activations.get(&last, sequence).unwrap(), &row);
            let of_heads = output.activations.get(&norm, sequence).unwrap();
            assert_eq!(of_heads.size(), expected.size()[..2], "{site}");
            seen += 1;
        }
    }
    assert_eq!(seen, 3 * 3 * 11);

    let (all, one) = (Capture::new(Site::z(1)), Capture::new(Site::z(1)).heads([1]));
    let gradient = |capture: &Capture| {
        let run = model.run(&batch).capture([capture]);
        let scalar = |logits: &hooked_gpt2::Logits| Ok(logits.tensor(0)?.f_get(-1)?.f_get(7)?);
        run.differentiate(scalar).unwrap().1.get(capture, 0).unwrap()
    };
    assert_identical(&gradient(&one), &gradient(&all).narrow(1, 1, 1));
}

#[test]
fn reductions_are_those_of_the_whole_tensor() {
    let model = tiny(Precision::F32);
    let batch = batch();
    let clean = model.run(&batch).capture(sites(&model)).execute().unwrap();
    let finite = |site: &Site| !site.to_string().ends_with("attn_scores");
    for site in sites(&model).into_iter().filter(finite) {
        let k = if site.shape() == SiteShape::PerPosition { 1 } else { 2 };
        let (norm, moments) = (Capture::new(site).norm(), Capture::new(site).moments());
        let top = Capture::new(site).top_k(k);
        let run = model.run(&batch).capture([&norm]).capture([&moments]).capture([&top]);
        let output = run.without_logits().execute().unwrap();
        for (sequence, prompt) in PROMPTS.iter().enumerate() {
            let all = whole(&clean, site, sequence);
            let double = all.to_kind(Kind::Double);
            let norms = double.square().sum_dim_intlist(-1, false, Kind::Double).sqrt();
            assert_identical(&output.activations.get(&norm, sequence).unwrap(), &norms);

            let found = output.activations.get(&moments, sequence).unwrap();
            assert_eq!(found.count(), prompt.len());
            let mean = double.mean_dim(pos(site), false, Kind::Double);
            assert!(largest_difference(found.mean(), &mean) < tolerance::F64, "{site}");
            let variance = double.var_dim(pos(site), false, false);
            let scale = variance.max().double_value(&[]).max(1.0);
            let difference = largest_difference(&found.variance().unwrap(), &variance);
            assert!(difference < tolerance::F64 * scale, "{site}: {difference:e}");

            let (values, indices) = all.topk(k as i64, -1, true, true);
            let found = output.activations.get(&top, sequence).unwrap();
            assert_identical(&found.values, &values);
            assert_identical(&all.gather(-1, &found.indices, false), &values);
            assert_eq!(found.indices.size(), indices.size());
        }
    }
}

#[test]
fn moments_merge_into_those_of_the_whole_corpus() {
    let model = tiny(Precision::F64);
    let site = Site::resid_post(1);
    let moments = Capture::new(site).moments();
    let mut total = Moments::empty().unwrap();
    let mut rows = Vec::new();
    for prompt in PROMPTS {
        let batch = single(prompt);
        let run = model.run(&batch).capture([&moments]).capture([site]).without_logits();
        let kept = run.execute().unwrap().activations;
        total = total.merge(&kept.get(&moments, 0).unwrap()).unwrap();
        rows.push(kept.get(site, 0).unwrap());
    }
    let rows = Tensor::cat(&rows, 0);
    assert_eq!(total.count() as i64, rows.size()[0]);
    let mean = rows.mean_dim(0, false, Kind::Double);
    assert!(largest_difference(total.mean(), &mean) < tolerance::F64);
    let variance = rows.var_dim(0, false, false);
    let share = tolerance::F64 * variance.max().double_value(&[]).max(1.0);
    assert!(largest_difference(&total.variance().unwrap(), &variance) < share);

    assert!(matches!(
        Moments::empty().unwrap().variance(),
        Err(Error::Analysis(AnalysisError::TooFewValues { .. }))
    ));
    let other = Capture::new(Site::mlp_post(1)).moments();
    let batch = single(PROMPTS[0]);
    let kept = model.run(&batch).capture([&other]).execute().unwrap().activations;
    let error = total.merge(&kept.get(&other, 0).unwrap()).unwrap_err();
    assert!(matches!(error, Error::Capture(CaptureError::MomentsShape { .. })), "{error}");
}

#[test]
fn a_capture_that_cannot_be_is_refused_before_the_run() {
    let model = tiny(Precision::F64);
    let batch = batch();
    let mut hooks = Interventions::new();
    hooks.edit("fails", At::embed(), |_, _| Err(Error::Batch(BatchError::EmptyBatch)));
    for k in [0, 25] {
        let top = Capture::new(Site::resid_post(0)).top_k(k);
        let error = model.run(&batch).hooks(&hooks).capture([top]).execute().unwrap_err();
        let refused = reason(&error);
        assert!(
            matches!(refused, Error::Analysis(AnalysisError::TopKOutOfRange { allowed: 24, .. })),
            "{error}"
        );
    }
    // One sequence has but two keys.
    let top = Capture::new(Site::pattern(0)).top_k(3);
    let error = model.run(&batch).hooks(&hooks).capture([top]).execute().unwrap_err();
    assert!(
        matches!(reason(&error), Error::Analysis(AnalysisError::TopKOutOfRange { allowed: 2, .. })),
        "{error}"
    );
}

#[test]
fn a_lookup_finds_what_was_asked_for_and_nothing_like_it() {
    let model = tiny(Precision::F64);
    let batch = single(PROMPTS[0]);
    let site = Site::z(1);
    let last = Capture::new(site).positions(Positions::last());
    let kept = model.run(&batch).capture([&last]).execute().unwrap().activations;
    assert_eq!(kept.get(&last, 0).unwrap().size(), [1, 3, 8]);
    assert_eq!(
        kept.get(site, 0).unwrap_err().to_string(),
        "blocks.1.attn.hook_z was not captured of sequence 0, \
         captured of it: blocks.1.attn.hook_z at positions last"
    );
    let before = kept.get(last.clone().before_edits(), 0).unwrap_err().to_string();
    assert!(before.starts_with("blocks.1.attn.hook_z before edits at positions last"), "{before}");
    assert!(kept.get(last.norm(), 0).is_err());
}

#[test]
fn norms_of_attention_scores_are_those_of_the_keys_that_a_query_sees() {
    let (model, batch) = (tiny(Precision::F64), batch());
    let site = Site::attn_scores(1);
    let norm = Capture::new(site).norm();
    let output = model.run(&batch).capture([&norm]).capture([site]).execute().unwrap();
    let scores = whole(&output, site, 0); // [head, query_pos, key_pos]
    let norms = output.activations.get(&norm, 0).unwrap();
    for head in 0..3 {
        for query in 0..5 {
            let seen = (0..=query).map(|key| scores.double_value(&[head, query, key]));
            let expected = seen.map(|score| score * score).sum::<f64>().sqrt();
            let given = norms.double_value(&[head, query]);
            approx::assert_relative_eq!(given, expected, max_relative = 1e-14);
        }
    }
}
