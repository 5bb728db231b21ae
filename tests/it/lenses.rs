//! Lenses of runs against Hugging Face with hooks and TransformerLens, and parts against the whole.

use hooked_gpt2::error::{AnalysisError, BatchError, LensError, SelectionError};
use hooked_gpt2::hook::{At, Positions, Site};
use hooked_gpt2::intervention::Interventions;
use hooked_gpt2::lens::{
    Answers, Attributed, Component, Decomposition, Downstream, HeadScores, LogitAttribution,
    LogitLens, Parts, ResidualStack,
};
use hooked_gpt2::sweep::{Axis, Sweep, Variants};
use hooked_gpt2::tch::Device;
use hooked_gpt2::{Batch, Checkpoint, Error, Gpt2, Precision};
use ndarray::{Array1, s};

use crate::lens_subjects::{
    PRECISIONS, PROMPTS, RIGHT, WRONG, allowed, assert_close, assert_nan, largest, subjects,
};
use crate::support::{fixtures, load, single, tiny};
use crate::tolerance;

#[test]
fn the_logit_lens_reads_what_hugging_face_makes_of_each_residual_stream() {
    for precision in PRECISIONS {
        for subject in subjects(precision) {
            let lens = LogitLens::new().target(RIGHT[0]).top(3);
            let lens = lens.read(subject.model.run(&subject.batch)).unwrap();
            assert_eq!(lens.sites().len(), subject.model.config().n_layers + 1);
            for (sequence, prompt) in PROMPTS.into_iter().enumerate() {
                let len = subject.len(sequence);
                let expected = |name: &str| subject.expected(&format!("{prompt}.lens.{name}"));
                let within = s![.., sequence, ..len];
                let what = format!("{} {prompt} in {precision}", subject.name);
                let tolerance = tolerance::of_logits(precision);
                let log_probs = lens.log_probs().unwrap();
                assert_close(
                    log_probs.slice(within),
                    expected("log_probs").view(),
                    tolerance,
                    &what,
                );
                assert_close(lens.kl().slice(within), expected("kl").view(), tolerance, &what);
                let ranks = lens.ranks().unwrap();
                assert_close(ranks.slice(within), expected("ranks").view(), 0.0, &what);
                assert_nan(log_probs.slice(s![.., sequence, len..]));
                assert_nan(lens.kl().slice(s![.., sequence, len..]));
                for ((site, position, number), &token) in
                    expected("top").into_dimensionality::<ndarray::Ix3>().unwrap().indexed_iter()
                {
                    let top = lens.top(site, sequence, position).unwrap();
                    assert_eq!((top.len(), f64::from(top[number].token)), (3, token), "{what}");
                }
            }
        }
    }
}

#[test]
fn the_logit_lens_is_the_model_itself_behind_the_last_block() {
    for subject in subjects(Precision::F64) {
        let lens = LogitLens::new().keep_logits().at(Positions::last());
        let lens = lens.read(subject.model.run(&subject.batch)).unwrap();
        let output = subject.model.run(&subject.batch).execute().unwrap();
        let last = subject.model.config().n_layers;
        for sequence in 0..PROMPTS.len() {
            let logits = output.logits.last(sequence).unwrap().into_dyn();
            let ours = lens.logits(last, sequence).unwrap();
            assert_close(ours.row(0), logits.view(), tolerance::F64, subject.name);
            assert!(lens.kl()[[last, sequence, 0]] < tolerance::F64);
            assert_eq!(lens.positions(sequence).unwrap(), [subject.len(sequence) - 1]);
        }
    }
}

#[test]
fn the_logit_lens_looks_for_the_target_of_each_sequence_or_for_what_follows_in_the_text() {
    let subject = subjects(Precision::F64).next().unwrap();
    let lens = LogitLens::new().keep_logits();
    let of_each = lens.clone().target_of_each([5, 6, 7]).read(subject.model.run(&subject.batch));
    let of_next = lens.next_token().read(subject.model.run(&subject.batch)).unwrap();
    let of_each = of_each.unwrap();
    for sequence in 0..PROMPTS.len() {
        let tokens = &subject.batch.sequences()[sequence];
        for site in 0..of_each.sites().len() {
            let logits = of_each.logits(site, sequence).unwrap();
            for position in 0..tokens.len() {
                let log_prob = |token: usize| {
                    let row = logits.row(position);
                    let top = row.fold(f64::NEG_INFINITY, |top: f64, &logit| top.max(logit));
                    row[token] - top - row.mapv(|logit| (logit - top).exp()).sum().ln()
                };
                let index = [site, sequence, position];
                let ours = of_each.log_probs().unwrap()[index];
                assert!((ours - log_prob(5 + sequence)).abs() < tolerance::F64);
                let ours = of_next.log_probs().unwrap()[index];
                match tokens.get(position + 1) {
                    Some(&next) => {
                        assert!((ours - log_prob(next as usize)).abs() < tolerance::F64);
                    }
                    None => assert!(ours.is_nan() && of_next.ranks().unwrap()[index].is_nan()),
                }
            }
        }
    }
}

#[test]
fn the_table_of_the_logit_lens_has_the_likeliest_token_of_each_place_and_position() {
    let checkpoint = Checkpoint::bundled().unwrap();
    let (model, _) = Gpt2::load(&checkpoint, Precision::F64, Device::Cpu).unwrap();
    let tokenizer = checkpoint.tokenizer().unwrap();
    let texts = ["He", "She was a very happy girl and her mother was very good"];
    let batch = Batch::new(texts.map(|text| tokenizer.encode(text).unwrap())).unwrap();
    let lens = LogitLens::new().sites([Site::resid_mid(3), Site::resid_post(11)]);
    let lens = lens.top(2).read(model.run(&batch)).unwrap();
    let logits = model.run(&batch).execute().unwrap().logits;
    let said = |sequence: usize, position: usize| {
        let logits = logits.at(sequence, position).unwrap();
        let (token, top) =
            logits.indexed_iter().fold((0, f64::NEG_INFINITY), |best, (id, &logit)| {
                if logit > best.1 { (id, logit) } else { best }
            });
        let probability = 1.0 / logits.mapv(|logit| (logit - top).exp()).sum();
        format!("{:?} {probability:.2}", tokenizer.decode(&[token as u32]).unwrap())
    };
    let short = lens.table(0, tokenizer).unwrap().to_string();
    let lines: Vec<&str> = short.lines().collect();
    assert_eq!(lines[0].trim_start(), "0 \"He\"");
    assert!(lines[1].starts_with("3.resid_mid    \""), "{short}");
    assert_eq!(lines[2], format!("11.resid_post  {}", said(0, 0)));
    assert_eq!(lines.len(), 3);

    let long = lens.table(1, tokenizer).unwrap().to_string();
    let lines: Vec<&str> = long.lines().collect();
    let last = batch.sequences()[1].len() - 1;
    assert!(lines[0].ends_with(&format!("{last} \" good\"")), "{long}");
    assert!(lines[2].ends_with(&said(1, last)), "{long}");
    assert!(lines[3].ends_with(&format!("of {} positions; `at` chooses", last + 1)));
    assert!(long.lines().all(|line| line.chars().count() <= 80));

    assert!(matches!(
        lens.table(2, tokenizer),
        Err(Error::Batch(BatchError::NoSuchSequence { .. }))
    ));
    let without = LogitLens::new().read(model.run(&batch)).unwrap().table(0, tokenizer);
    assert_eq!(
        without.unwrap_err().to_string(),
        "the lens did not read the most likely tokens, `top` asks for that"
    );
}

#[test]
fn a_residual_stack_is_what_the_run_captures() {
    let subject = subjects(Precision::F32).next().unwrap();
    let stack = ResidualStack::new().at(Positions::several([0, 2]));
    let stack = stack.read(subject.model.run(&subject.batch)).unwrap();
    let sites = [Site::resid_pre(0), Site::resid_pre(1), Site::resid_pre(2), Site::resid_post(2)];
    assert_eq!(stack.sites(), sites);
    let kept = subject.model.run(&subject.batch).capture(sites).execute().unwrap().activations;
    for sequence in 0..PROMPTS.len() {
        let ours = stack.of(sequence).unwrap();
        assert_eq!(ours.dim(), (4, 2, 24));
        for (number, site) in sites.into_iter().enumerate() {
            let captured = kept.get(site, sequence).unwrap();
            for (row, position) in [0, 2].into_iter().enumerate() {
                for channel in 0..24 {
                    let value = captured.double_value(&[position, channel as i64]);
                    assert_eq!(ours[[number, row, channel]], value);
                }
            }
        }
    }
    let other = ResidualStack::new().sites([Site::resid_mid(1), Site::embed(), Site::mlp_out(0)]);
    let other = other.read(subject.model.run(&subject.batch)).unwrap();
    assert_eq!(other.sites(), [Site::embed(), Site::mlp_out(0), Site::resid_mid(1)]);
}

#[test]
fn the_parts_of_the_residual_stream_are_those_of_hugging_face() {
    for precision in PRECISIONS {
        for subject in subjects(precision) {
            for (parts, name) in [(Parts::Layers, "layers"), (Parts::Heads, "heads")] {
                let decomposed = Decomposition::new(parts).read(subject.model.run(&subject.batch));
                let decomposed = decomposed.unwrap();
                for (sequence, prompt) in PROMPTS.into_iter().enumerate() {
                    let expected = subject.expected(&format!("{prompt}.{name}"));
                    let tolerance = allowed(precision, largest(&expected));
                    let ours = decomposed.parts(sequence).unwrap();
                    let what = format!("{} {prompt} {name} in {precision}", subject.name);
                    assert_close(ours, expected.view(), tolerance, &what);
                }
            }
            let neurons = Decomposition::new(Parts::Neurons).at(Positions::last());
            let neurons = neurons.read(subject.model.run(&subject.batch)).unwrap();
            for (sequence, prompt) in PROMPTS.into_iter().enumerate() {
                let expected = subject.expected(&format!("{prompt}.neurons"));
                let tolerance = allowed(precision, largest(&expected));
                let ours = neurons.parts(sequence).unwrap();
                assert_close(ours.slice(s![.., 0, ..]), expected.view(), tolerance, prompt);
            }
        }
    }
}

#[test]
fn the_parts_sum_to_the_residual_stream_at_every_place_of_it() {
    for precision in PRECISIONS {
        for subject in subjects(precision) {
            let n_layers = subject.model.config().n_layers;
            let places = (0..n_layers)
                .flat_map(|l| [Site::resid_pre(l), Site::resid_mid(l), Site::resid_post(l)]);
            for site in places {
                for parts in [Parts::Layers, Parts::Heads, Parts::Neurons] {
                    let run = subject.model.run(&subject.batch);
                    let decomposed = Decomposition::new(parts).site(site).read(run).unwrap();
                    for sequence in 0..PROMPTS.len() {
                        let parts = decomposed.parts(sequence).unwrap();
                        assert_eq!(parts.dim().0, decomposed.components().len());
                        let whole = decomposed.whole(sequence).unwrap().to_owned().into_dyn();
                        let summed = parts.sum_axis(ndarray::Axis(0));
                        let tolerance = allowed(precision, largest(&whole));
                        let what = format!("{} {site} in {precision}", subject.name);
                        assert_close(summed.view(), whole.view(), tolerance, &what);
                    }
                }
            }
        }
    }
}

#[test]
fn parts_are_found_by_their_names_and_others_are_not() {
    let model = tiny(Precision::F64);
    let batch = single(&[17, 3, 88]);
    let decomposed = Decomposition::new(Parts::Heads).site(Site::resid_mid(1));
    let decomposed = decomposed.read(model.run(&batch)).unwrap();
    let names: Vec<String> = decomposed.components().iter().map(Component::to_string).collect();
    let expected = "embed pos_embed a0.0 a0.1 a0.2 a0.bias m0 a1.0 a1.1 a1.2 a1.bias";
    assert_eq!(names.join(" "), expected);
    let head = decomposed.of(Component::Head { layer: 1, head: 2 }, 0).unwrap();
    assert_eq!(head, decomposed.parts(0).unwrap().index_axis(ndarray::Axis(0), 9));
    let error = decomposed.of(Component::Mlp { layer: 1 }, 0).unwrap_err().to_string();
    assert!(
        error.starts_with("`m1` is not among the parts that were read: embed, pos_embed, a0.0")
    );
    assert!(matches!(
        decomposed.of(Component::Embed, 1),
        Err(Error::Batch(BatchError::NoSuchSequence { given: 1, len: 1 }))
    ));
}

#[test]
fn what_hooks_change_otherwise_than_in_a_part_is_a_part_of_its_own() {
    let model = tiny(Precision::F64);
    let batch = Batch::new([vec![17, 3, 88, 42], vec![64, 0]]).unwrap();
    type Edit = fn(&mut Interventions);
    let edits: [(Edit, [bool; 3]); 6] = [
        (|hooks| _ = hooks.scale(At::resid_post(1), 0.6).unwrap(), [true, true, true]),
        (|hooks| _ = hooks.scale(At::attn_out(1), 0.6).unwrap(), [false, true, true]),
        (|hooks| _ = hooks.zero(At::result(1).heads([1])), [false, true, true]),
        (|hooks| _ = hooks.scale(At::mlp_out(0), 0.6).unwrap(), [false, false, true]),
        (|hooks| _ = hooks.zero(At::z(2).heads([0])), [false, false, false]),
        (|hooks| _ = hooks.zero(At::mlp_in(2)), [false, false, false]),
    ];
    for (number, (edit, has_rest)) in edits.into_iter().enumerate() {
        let mut hooks = Interventions::new();
        edit(&mut hooks);
        for (parts, has_rest) in
            [Parts::Layers, Parts::Heads, Parts::Neurons].into_iter().zip(has_rest)
        {
            let what = format!("edit {number}, {parts:?}");
            let run = model.run(&batch).hooks(&hooks);
            let decomposed = Decomposition::new(parts).read(run).unwrap();
            assert_eq!(decomposed.of(Component::Edits, 0).is_ok(), has_rest, "{what}");
            let attributed =
                LogitAttribution::of(5).parts(parts).read(model.run(&batch).hooks(&hooks));
            let attributed = attributed.unwrap();
            assert_eq!(attributed.of(Component::Edits).is_ok(), has_rest, "{what}");
            for sequence in 0..2 {
                let summed = decomposed.parts(sequence).unwrap().sum_axis(ndarray::Axis(0));
                let whole = decomposed.whole(sequence).unwrap().to_owned().into_dyn();
                assert_close(summed.view(), whole.view(), tolerance::F64, &what);
                let summed = attributed.values().slice(s![.., sequence, 0]).sum();
                let total = attributed.total()[[sequence, 0]];
                assert!((summed - total).abs() < tolerance::F64, "{what}: {summed} {total}");
            }
        }
    }
    // What comes behind the place has no part in it.
    let mut hooks = Interventions::new();
    hooks.scale(At::resid_post(1), 0.6).unwrap();
    let before = Decomposition::new(Parts::Layers).site(Site::resid_mid(1));
    let before = before.read(model.run(&batch).hooks(&hooks));
    // The run stops before the hook, which is then refused as one that cannot act.
    assert!(before.is_err());
    let mut hooks = Interventions::new();
    hooks.scale(At::ln_final_normalized(), 0.6).unwrap();
    let attributed = LogitAttribution::of(5).read(model.run(&batch).hooks(&hooks)).unwrap();
    assert!(attributed.of(Component::Edits).is_ok());
    let (summed, total) =
        (attributed.values().slice(s![.., 1, 0]).sum(), attributed.total()[[1, 0]]);
    assert!((summed - total).abs() < tolerance::F64);
}

#[test]
fn a_run_that_skips_a_block_has_no_parts() {
    let model = tiny(Precision::F64);
    let batch = single(&[17, 3, 88]);
    let mut hooks = Interventions::new();
    hooks.skip(1);
    let error = Decomposition::new(Parts::Heads).read(model.run(&batch).hooks(&hooks)).unwrap_err();
    assert!(error.to_string().contains("blocks.1.attn.hook_z"), "{error}");
}

fn attribution(answers: &str) -> LogitAttribution {
    match answers {
        "token" => LogitAttribution::of(RIGHT[0]),
        _ => LogitAttribution::of(Answers::new(RIGHT, WRONG)),
    }
}

#[test]
fn logits_are_attributed_as_by_the_formula_on_hugging_faces_activations() {
    for precision in PRECISIONS {
        for subject in subjects(precision) {
            for (parts, name) in
                [(Parts::Layers, "layers"), (Parts::Heads, "heads"), (Parts::Neurons, "neurons")]
            {
                for answers in ["token", "difference"] {
                    let attribution = attribution(answers).parts(parts).at(Positions::all());
                    let read = attribution.read(subject.model.run(&subject.batch)).unwrap();
                    for (sequence, prompt) in PROMPTS.into_iter().enumerate() {
                        let len = subject.len(sequence);
                        let what =
                            format!("{} {prompt} {answers} {name} in {precision}", subject.name);
                        let tolerance = tolerance::of_logits(precision);
                        let expected = subject.expected(&format!("{prompt}.{answers}.{name}"));
                        let ours = read.values().slice_move(s![.., sequence, ..len]);
                        assert_close(ours, expected.view(), tolerance, &what);
                        let expected = subject.expected(&format!("{prompt}.{answers}"));
                        let ours = read.total().slice_move(s![sequence, ..len]);
                        assert_close(ours, expected.view(), tolerance, &what);
                        assert_nan(read.values().slice(s![.., sequence, len..]));
                        assert_nan(read.total().slice(s![sequence, len..]));
                    }
                }
            }
        }
    }
}

#[test]
fn attributions_sum_to_the_logit_or_the_difference_of_logits() {
    for precision in PRECISIONS {
        for subject in subjects(precision) {
            let output = subject.model.run(&subject.batch).execute().unwrap();
            for parts in [Parts::Layers, Parts::Heads, Parts::Neurons] {
                // The mean over right answers less that over wrong ones, of the run's own logits.
                let contrast = |logits: Array1<f64>, right: &[u32], wrong: &[u32]| {
                    hooked_gpt2::analysis::contrast::logit_difference(logits.view(), right, wrong)
                };
                let read = attribution("difference").parts(parts);
                let read = read.read(subject.model.run(&subject.batch)).unwrap();
                for sequence in 0..PROMPTS.len() {
                    let logits = output.logits.last(sequence).unwrap();
                    let difference = contrast(logits, &RIGHT, &WRONG).unwrap();
                    let summed = read.values().slice(s![.., sequence, 0]).sum();
                    let tolerance = tolerance::of_logits(precision);
                    assert!((summed - difference).abs() <= tolerance, "{parts:?} {precision}");
                    assert!((read.total()[[sequence, 0]] - difference).abs() <= tolerance);
                }
            }
        }
    }
}

#[test]
fn each_sequence_may_have_answers_of_its_own() {
    let subject = subjects(Precision::F64).next().unwrap();
    let answers = [(3, 9), (17, 0), (20, 21)];
    let each = LogitAttribution::of_each(answers).read(subject.model.run(&subject.batch)).unwrap();
    for (sequence, answers) in answers.into_iter().enumerate() {
        let alone = single(&subject.batch.sequences()[sequence]);
        let alone = LogitAttribution::of(answers).read(subject.model.run(&alone)).unwrap();
        let of = |read: &Attributed, sequence| read.values().slice(s![.., sequence, 0]).to_owned();
        let expected = of(&alone, 0).into_dyn();
        assert_close(of(&each, sequence).view(), expected.view(), tolerance::F64, "answers");
    }
}

#[test]
fn the_attributions_of_heads_come_as_a_grid() {
    let subject = subjects(Precision::F64).next().unwrap();
    for parts in [Parts::Heads, Parts::Neurons] {
        let read = LogitAttribution::of(5).parts(parts).at(Positions::several([0, 3]));
        let read = read.read(subject.model.run(&subject.batch)).unwrap();
        let heads = read.heads(2, 1).unwrap();
        assert_eq!(heads.dim(), (3, 3));
        for ((layer, head), &value) in heads.indexed_iter() {
            assert_eq!(value, read.of(Component::Head { layer, head }).unwrap()[[2, 1]]);
        }
        assert!(matches!(
            read.heads(2, 2),
            Err(Error::Selection(SelectionError::IndexOutOfRange { given: 2, len: 2, .. }))
        ));
    }
    let layers = LogitAttribution::of(5).parts(Parts::Layers);
    let layers = layers.read(subject.model.run(&subject.batch)).unwrap();
    assert!(matches!(layers.heads(0, 0), Err(Error::Lens(LensError::NotAsked { .. }))));
}

/// The edit of the fixture.
fn halved() -> Interventions {
    let mut hooks = Interventions::new();
    hooks.scale(At::mlp_out(0).positions(Positions::at(1)), 0.5).unwrap();
    hooks
}

fn stream_sites(model: &Gpt2) -> Vec<Site> {
    let layers = 0..model.config().n_layers;
    layers.flat_map(|layer| [Site::resid_mid(layer), Site::resid_post(layer)]).collect()
}

#[test]
fn what_comes_after_an_edit_lies_as_far_from_the_clean_run_as_in_hugging_face() {
    for precision in PRECISIONS {
        for subject in subjects(precision) {
            let hooks = halved();
            let lens = Downstream::new().sites(stream_sites(&subject.model));
            let run = || subject.model.run(&subject.batch);
            let drift = lens.read(run(), run().hooks(&hooks)).unwrap();
            for (sequence, prompt) in PROMPTS.into_iter().enumerate() {
                let len = subject.len(sequence);
                let expected = |name: &str| subject.expected(&format!("{prompt}.drift.{name}"));
                let tolerance = allowed(precision, largest(&expected("clean")));
                let what = format!("{} {prompt} in {precision}", subject.name);
                for (ours, name) in [
                    (drift.norms(), "norm"),
                    (drift.changes(), "change"),
                    (drift.clean_norms().view().into_dyn(), "clean"),
                ] {
                    let ours = ours.slice_move(s![.., sequence, ..len]);
                    assert_close(ours, expected(name).view(), tolerance, &what);
                }
                let cosines = drift.cosines().slice_move(s![.., sequence, ..len]);
                let tolerance = tolerance::of_logits(precision);
                assert_close(cosines, expected("cosine").view(), tolerance, &what);
                assert_nan(drift.changes().slice_move(s![.., sequence, len..]));
            }
        }
    }
}

#[test]
fn what_an_edit_cannot_reach_is_not_changed_at_all() {
    let subject = subjects(Precision::F32).next().unwrap();
    let (run, hooks) = (|| subject.model.run(&subject.batch), halved());
    let drift = Downstream::new().sites(stream_sites(&subject.model));
    let drift = drift.read(run(), run().hooks(&hooks)).unwrap();
    let (changes, cosines) = (drift.changes(), drift.cosines());
    for sequence in 0..PROMPTS.len() {
        for (site, position) in [(0, 1), (0, 2), (1, 0), (3, 0), (5, 0), (1, 2), (2, 0)] {
            assert_eq!(changes[[site, sequence, position]], 0.0);
            assert_eq!(cosines[[site, sequence, position]], 1.0);
        }
        for (site, position) in [(1, 1), (2, 1), (2, 2), (5, 2)] {
            assert!(changes[[site, sequence, position]] > 0.0);
        }
    }
}

#[test]
fn a_sweep_drifts_as_a_run_of_each_of_its_variants_does() {
    let subject = subjects(Precision::F64).next().unwrap();
    let factors = [0.5, -1.0];
    let axes = [Axis::counting("layer", 3), Axis::new("factor", factors)];
    let hooks = |index: &[usize]| {
        let mut hooks = Interventions::new();
        let at = At::mlp_out(index[0]).positions(Positions::at(1));
        hooks.scale(at, factors[index[1]]).map(drop).map(|()| hooks)
    };
    let variants = Variants::over(axes, |index, _| hooks(index), &subject.batch).unwrap();
    let sites = [
        Site::resid_post(0),
        Site::resid_post(2),
        Site::z(2),
        Site::pattern(2),
        Site::attn_scores(1),
    ];
    let lens = Downstream::new().sites(sites).at(Positions::several([0, 2]));
    let swept = lens.sweep(Sweep::new(&subject.model, &subject.batch), &variants).unwrap();
    let names: Vec<&str> = swept.axes().iter().map(|axis| &*axis.name).collect();
    assert_eq!(names, ["layer", "factor", "site", "sequence", "position"]);
    assert_eq!(swept.norms().shape(), [3, 2, 5, 3, 2]);
    for layer in 0..3 {
        for factor in 0..2 {
            let (run, hooks) =
                (|| subject.model.run(&subject.batch), hooks(&[layer, factor]).unwrap());
            let alone = lens.read(run(), run().hooks(&hooks)).unwrap();
            for (swept, alone) in [
                (swept.norms(), alone.norms()),
                (swept.changes(), alone.changes()),
                (swept.cosines(), alone.cosines()),
            ] {
                let swept = swept.slice_move(s![layer, factor, .., .., ..]);
                assert_close(swept, alone, tolerance::F64, "variant");
            }
            let (ours, expected) = (swept.clean_norms(), alone.clean_norms().clone().into_dyn());
            assert_close(ours.view(), expected.view(), tolerance::F64, "clean");
        }
    }
}

#[test]
fn the_cosine_with_a_vector_of_zeros_is_not_a_number() {
    let model = tiny(Precision::F64);
    let batch = single(&[17, 3, 88]);
    let mut hooks = Interventions::new();
    hooks.zero(At::attn_out(1));
    let lens = Downstream::new().sites([Site::attn_out(1)]);
    let drift = lens.read(model.run(&batch), model.run(&batch).hooks(&hooks)).unwrap();
    assert!(drift.norms().iter().all(|&norm| norm == 0.0));
    assert_nan(drift.cosines());
    for position in 0..3 {
        assert_eq!(drift.changes()[[0, 0, position]], drift.clean_norms()[[0, 0, position]]);
    }
}

#[test]
fn head_scores_are_those_of_transformer_lens_and_of_the_formulas() {
    for precision in PRECISIONS {
        for subject in subjects(precision) {
            let scores = HeadScores::read(subject.model.run(&subject.batch)).unwrap();
            for (sequence, prompt) in PROMPTS.into_iter().enumerate() {
                for (ours, name) in [
                    (&scores.previous_token, "previous_token"),
                    (&scores.duplicate_token, "duplicate_token"),
                    (&scores.induction, "induction"),
                    (&scores.prefix_matching, "prefix_matching"),
                    (&scores.first_token, "first_token"),
                    (&scores.entropy, "entropy"),
                ] {
                    let expected = subject.expected(&format!("{prompt}.scores.{name}"));
                    let what = format!("{} {prompt} {name} in {precision}", subject.name);
                    let ours = ours.slice(s![.., .., sequence]);
                    assert_close(ours, expected.view(), tolerance::of_logits(precision), &what);
                }
            }
        }
    }
}

#[test]
fn the_heads_of_one_token_look_at_nothing_else() {
    let model = tiny(Precision::F64);
    let scores = HeadScores::read(model.run(&single(&[17]))).unwrap();
    for zero in [&scores.previous_token, &scores.duplicate_token, &scores.induction] {
        assert_eq!(zero.dim(), (3, 3, 1));
        assert!(zero.iter().all(|&score| score == 0.0));
    }
    for undefined in [&scores.prefix_matching, &scores.first_token, &scores.entropy] {
        assert_nan(undefined);
    }
}

#[test]
fn scores_of_patterns_that_hooks_made_no_distributions_are_numbers_or_nan() {
    let model = tiny(Precision::F64);
    let batch = single(&[5, 9, 5, 9, 5]);
    let scores = |edit: &dyn Fn(&mut Interventions)| {
        let mut hooks = Interventions::new();
        edit(&mut hooks);
        HeadScores::read(model.run(&batch).hooks(&hooks)).unwrap()
    };
    let of_layer = |scores: &ndarray::Array3<f64>| scores.slice(s![1, .., 0]).to_owned();
    let none_left = scores(&|hooks| _ = hooks.zero(At::pattern(1)));
    for undefined in [&none_left.previous_token, &none_left.duplicate_token, &none_left.induction] {
        assert_nan(&of_layer(undefined));
    }
    for zero in [&none_left.prefix_matching, &none_left.first_token, &none_left.entropy] {
        assert!(of_layer(zero).iter().all(|&score| score == 0.0));
    }
    let negative = scores(&|hooks| _ = hooks.scale(At::pattern(1), -1.0).unwrap());
    assert_nan(&of_layer(&negative.entropy));
    assert!(of_layer(&negative.first_token).iter().all(|&score| score < 0.0));
    let shares = [&negative.previous_token, &negative.induction];
    assert!(shares.into_iter().all(|shares| of_layer(shares).iter().all(|&share| share >= 0.0)));
    // Of a layer that no hook changed.
    assert!(negative.entropy.slice(s![0, .., 0]).iter().all(|entropy| *entropy > 0.0));
}

#[test]
fn what_cannot_be_read_is_refused_in_words() {
    let model = tiny(Precision::F64);
    let batch = Batch::new([vec![17, 3, 88, 42], vec![64, 0]]).unwrap();
    let run = || model.run(&batch);
    let said = |error: Error| error.to_string();

    let at = || LogitAttribution::of(5).at(Positions::at(2));
    assert_eq!(
        said(at().read(run()).unwrap_err()),
        "positions 2 do not fit sequence 1, which has 2 tokens"
    );
    let error = LogitAttribution::of(101).read(run()).unwrap_err();
    assert!(matches!(
        error,
        Error::Batch(BatchError::TokenOutOfRange { given: 101, d_vocab: 101 })
    ));
    let error = LogitAttribution::of((5, 200)).read(run()).unwrap_err();
    assert!(matches!(error, Error::Batch(BatchError::TokenOutOfRange { given: 200, .. })));
    let error = LogitAttribution::of_each([5]).read(run()).unwrap_err();
    assert_eq!(said(error), "1 answers for 2 sequences, one for each is needed");
    let nothing_right = [Answers::from(5), Answers::new([], [5])];
    let error = LogitAttribution::of_each(nothing_right).read(run()).unwrap_err();
    assert_eq!(said(error), "sequence 1 has no right answer, at least one is needed");

    let error = LogitLens::new().target(101).read(run()).unwrap_err();
    assert!(matches!(error, Error::Batch(BatchError::TokenOutOfRange { .. })));
    let error = LogitLens::new().target_of_each([5, 6, 7]).read(run()).unwrap_err();
    assert_eq!(said(error), "3 targets for 2 sequences, one for each is needed");
    let error = LogitLens::new().top(102).read(run()).unwrap_err();
    assert!(matches!(error, Error::Analysis(AnalysisError::TopKOutOfRange { given: 102, .. })));
    let error = LogitLens::new().sites([Site::z(1)]).read(run()).unwrap_err();
    let allowed = "those whose axes are [batch, pos, d_model]";
    assert_eq!(said(error), format!("blocks.1.attn.hook_z cannot be read so, allowed: {allowed}"));
    let error = LogitLens::new().sites([]).read(run()).unwrap_err();
    assert_eq!(said(error), "no site is to be read, at least one is needed");
    let error = ResidualStack::new().sites([Site::resid_pre(3)]).read(run()).unwrap_err();
    assert!(matches!(error, Error::Selection(SelectionError::LayerOutOfRange { given: 3, .. })));
    let lens = LogitLens::new().at(Positions::at(1)).read(run()).unwrap();
    for error in [lens.ranks().unwrap_err(), lens.log_probs().unwrap_err()] {
        assert_eq!(said(error), "the lens did not read a target, `target` asks for that");
    }
    let not_asked = lens.top(0, 0, 0).err().unwrap();
    assert!(matches!(not_asked, Error::Lens(LensError::NotAsked { by: "top", .. })));
    assert_eq!(
        not_asked.to_string(),
        "the lens did not read the most likely tokens, `top` asks for that"
    );
    assert!(matches!(lens.logits(0, 0), Err(Error::Lens(LensError::NotAsked { .. }))));
    assert!(matches!(
        lens.top(4, 0, 0),
        Err(Error::Selection(SelectionError::IndexOutOfRange { .. }))
    ));
    assert!(matches!(lens.positions(2), Err(Error::Batch(BatchError::NoSuchSequence { .. }))));

    let error = Decomposition::new(Parts::Heads).site(Site::attn_out(1)).read(run()).unwrap_err();
    let allowed = "resid_pre, resid_mid and resid_post of a block";
    assert_eq!(
        said(error),
        format!("blocks.1.hook_attn_out cannot be read so, allowed: {allowed}")
    );
    let error = Decomposition::new(Parts::Heads).site(Site::resid_mid(3)).read(run()).unwrap_err();
    assert!(matches!(error, Error::Selection(SelectionError::LayerOutOfRange { given: 3, .. })));

    let one = single(&[17, 3, 88, 42]);
    let error = Downstream::new().read(run(), model.run(&one)).unwrap_err();
    assert_eq!(
        said(error),
        "a run of 1 sequences cannot be compared with one of 2, as many are needed"
    );
    let longer = Batch::new([vec![17, 3, 88, 42], vec![64, 0, 5]]).unwrap();
    for (positions, words) in
        [(Positions::all(), "[0, 1, 2], and at [0, 1]"), (Positions::last(), "[2], and at [1]")]
    {
        let error = Downstream::new().at(positions).read(run(), model.run(&longer)).unwrap_err();
        let expected = format!(
            "sequence 1 is read at positions {words} in the clean run: the same are needed"
        );
        assert_eq!(said(error), expected);
    }
    // What follows changes nothing before it.
    let same = Downstream::new().at(Positions::at(1)).read(run(), model.run(&longer)).unwrap();
    assert!(same.changes().iter().all(|&change| change < tolerance::F64));
    let patterns = Downstream::new().sites([Site::pattern(0)]).at(Positions::at(1));
    assert_eq!(
        said(patterns.read(run(), model.run(&longer)).unwrap_err()),
        "blocks.0.attn.hook_pattern of sequence 1 has the shape [1, 9], and [1, 6] in the clean run: the same is needed"
    );
    let other_model = load(&fixtures().join("variants/untied"), Precision::F64);
    let small = Batch::new([vec![17, 3, 8, 4], vec![6, 0]]).unwrap();
    let error = Downstream::new().sites([Site::resid_post(0)]).read(run(), other_model.run(&small));
    assert!(matches!(error.unwrap_err(), Error::Lens(LensError::OtherShape { .. })));
    let error = Downstream::new().sites([]).read(run(), run()).unwrap_err();
    assert!(matches!(error, Error::Lens(LensError::NoSites)));
}

#[test]
fn the_logit_lens_reads_a_long_text_in_pieces_as_it_reads_single_positions() {
    let checkpoint = Checkpoint::bundled().unwrap();
    let (model, _) = Gpt2::load(&checkpoint, Precision::F64, Device::Cpu).unwrap();
    let len = model.config().n_ctx.min(300);
    let batch = Batch::single((0..len as u32).map(|n| n * 257 % 8191).collect::<Vec<_>>()).unwrap();
    let lens = LogitLens::new().sites([Site::resid_pre(6)]).target(5).top(2);
    let whole = lens.clone().keep_logits().read(model.run(&batch)).unwrap();
    let some = [0, 1, len - 50, len - 1];
    let single = lens.at(Positions::several(some)).read(model.run(&batch)).unwrap();
    let logits = whole.logits(0, 0).unwrap();
    assert_eq!(logits.dim(), (len, 8192));
    for (number, position) in some.into_iter().enumerate() {
        let (at, of) = ([0, 0, position], [0, 0, number]);
        let difference = (whole.kl()[at] - single.kl()[of]).abs();
        assert!(difference < tolerance::F64, "{position}: {difference:e}");
        let log_probs = [whole.log_probs().unwrap()[at], single.log_probs().unwrap()[of]];
        assert!((log_probs[0] - log_probs[1]).abs() < tolerance::F64);
        let top = [whole.top(0, 0, position).unwrap(), single.top(0, 0, number).unwrap()];
        assert_eq!(top[0][1].token, top[1][1].token);
        let logit = logits[[position, top[0][1].token as usize]];
        assert!((logit - top[1][1].logit).abs() < tolerance::F64);
    }
}
