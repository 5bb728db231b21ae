//! Continuations: against Hugging Face, and against runs over the whole text.

use hooked_gpt2::error::{
    AnalysisError, BatchError, CaptureError, InterventionError, RunError, SelectionError,
};
use hooked_gpt2::hook::{At, Capture, HookRegistry, NoHooks, Positions, Site};
use hooked_gpt2::intervention::Interventions;
use hooked_gpt2::tch::{Device, Kind, Tensor};
use hooked_gpt2::{Batch, Checkpoint, Error, Generated, Generation, Gpt2, Precision, Sampling};
use serde::Deserialize;

use crate::support::{fixtures, largest, largest_difference, reason, single, tiny};
use crate::tolerance;

#[derive(Deserialize)]
struct Reference {
    continuations: Vec<Continuation>,
}

#[derive(Deserialize)]
struct Continuation {
    prompt: Vec<u32>,
    plain: Vec<u32>,
    scaled: Vec<u32>,
    scaled_new: Vec<u32>,
}

fn reference() -> Vec<Continuation> {
    let content = std::fs::read(fixtures().join("generation_bundled.json")).unwrap();
    serde_json::from_slice::<Reference>(&content).unwrap().continuations
}

fn bundled(precision: Precision) -> Gpt2 {
    Gpt2::load(&Checkpoint::bundled().unwrap(), precision, Device::Cpu).unwrap().0
}

/// What the reference scales.
fn scaled(positions: &Positions) -> Interventions {
    let mut hooks = Interventions::new();
    hooks.scale(At::resid_post(6).positions(positions.clone()), 0.6).unwrap();
    hooks.scale(At::mlp_out(9).positions(positions.clone()), -1.0).unwrap();
    hooks
}

/// What a run over the whole text gives at each step. `hooks` answers for a text of some length.
fn without_cache(
    model: &Gpt2,
    prompt: &[u32],
    new: usize,
    hooks: &dyn Fn(usize) -> Interventions,
) -> Vec<u32> {
    let mut text = prompt.to_vec();
    for _ in 0..new {
        let (batch, hooks) = (single(&text), hooks(text.len()));
        let output = model.run(&batch).hooks(&hooks).unembed(Positions::last()).execute().unwrap();
        let last = output.logits.tensor(0).unwrap().get(-1);
        text.push(last.argmax(-1, false).int64_value(&[]) as u32);
    }
    text.split_off(prompt.len())
}

#[test]
fn continuations_are_those_of_hugging_face_plain_and_hooked() {
    for precision in [Precision::F32, Precision::F64] {
        let model = bundled(precision);
        let references = reference();
        let prompts = Batch::new(references.iter().map(|one| one.prompt.clone())).unwrap();
        let new = references[0].plain.len();
        let all = scaled(&Positions::all());
        let of_all = |hooks: &dyn HookRegistry| {
            model.generate(&prompts, new).hooks(hooks).execute().unwrap().tokens
        };
        let (plain, scaled_all) = (of_all(&NoHooks), of_all(&all));
        let only_new: Vec<Interventions> = references
            .iter()
            .map(|one| scaled(&Positions::starting_at(one.prompt.len())))
            .collect();
        let only_new: Vec<&dyn HookRegistry> =
            only_new.iter().map(|hooks| hooks as &dyn HookRegistry).collect();
        let generation = model.generate(&prompts, new).hooks_for_each(&only_new);
        let scaled_new = generation.execute().unwrap().tokens;
        for (sequence, expected) in references.iter().enumerate() {
            assert_eq!(plain[sequence], expected.plain, "{precision}");
            assert_eq!(scaled_all[sequence], expected.scaled, "{precision}");
            assert_eq!(scaled_new[sequence], expected.scaled_new, "{precision}");
        }
    }
}

#[test]
fn the_cache_gives_what_whole_runs_give_wherever_a_hook_stands() {
    let model = bundled(Precision::F64);
    let (prompt, new) = (reference().remove(0).prompt, 9);
    assert_eq!(prompt.len(), 5);
    let kept = |positions: std::ops::Range<usize>, len: usize| {
        Positions::several(positions.filter(|&position| position < len))
    };
    type Case = (Interventions, Box<dyn Fn(usize) -> Interventions>);
    let mut cases: Vec<Case> = Vec::new();
    let mut case = |hook: fn(&mut Interventions, Positions),
                    generated: Positions,
                    whole: std::ops::Range<usize>| {
        let mut hooks = Interventions::new();
        hook(&mut hooks, generated);
        let at_len = move |len: usize| {
            let mut hooks = Interventions::new();
            let positions = kept(whole.clone(), len);
            if positions != Positions::several([]) {
                hook(&mut hooks, positions);
            }
            hooks
        };
        cases.push((hooks, Box::new(at_len)));
    };
    // In the prompt alone, counted from its end too; across the seam; in the continuation alone.
    for (positions, whole) in [
        (Positions::range(1..3), 1..3),
        (Positions::last(), 4..5),
        (Positions::range(3..8), 3..8),
        (Positions::starting_at(6), 6..99),
        (Positions::at(7), 7..8),
    ] {
        let [k, z, pattern, keys, neurons] = [(); 5].map(|()| (positions.clone(), whole.clone()));
        case(
            |hooks, at| {
                let _ = hooks.scale(At::k(3).positions(at), -2.0);
            },
            k.0,
            k.1,
        );
        case(
            |hooks, at| {
                let _ = hooks.scale(At::z(4).heads([1, 2]).positions(at), -9.0);
            },
            z.0,
            z.1,
        );
        case(
            |hooks, at| {
                let _ = hooks.scale(At::pattern(5).queries(at), 6.0);
            },
            pattern.0,
            pattern.1,
        );
        case(
            |hooks, at| {
                let _ = hooks.scale(At::attn_scores(6).keys(at), -1.0);
            },
            keys.0,
            keys.1,
        );
        case(
            |hooks, at| {
                hooks.scale(At::mlp_post(2).neurons(0..300).positions(at), -3.0).unwrap();
            },
            neurons.0,
            neurons.1,
        );
    }
    let batch = single(&prompt);
    let plain = model.generate(&batch, new).execute().unwrap().tokens.remove(0);
    let mut changed = 0;
    for (number, (hooks, at_len)) in cases.iter().enumerate() {
        let generated = model.generate(&batch, new).hooks(hooks).execute().unwrap();
        let expected = without_cache(&model, &prompt, new, at_len);
        assert_eq!(generated.tokens[0], expected, "case {number}");
        changed += usize::from(expected != plain);
        assert!(generated.ledger.entries()[0].change_l2 > 0.0);
    }
    assert!(changed >= cases.len() / 2, "{changed} of {}", cases.len());
}

#[test]
fn skipping_blocks_in_some_sequences_leaves_the_others_as_they_are() {
    let model = tiny(Precision::F64);
    let prompts = [vec![3, 14, 15], vec![9, 2, 6], vec![5, 35, 8, 97]];
    let batch = Batch::new(prompts.clone()).unwrap();
    let mut skip = Interventions::new();
    skip.skip(1);
    let hooks: [&dyn HookRegistry; 3] = [&NoHooks, &skip, &skip];
    let together = model.generate(&batch, 6).hooks_for_each(&hooks).execute().unwrap().tokens;
    for (prompt, (hooks, tokens)) in prompts.iter().zip(hooks.iter().zip(together)) {
        let batch = single(prompt);
        let alone = model.generate(&batch, 6).hooks(*hooks).execute().unwrap().tokens;
        assert_eq!(tokens, alone[0]);
    }
}

#[test]
fn each_position_is_computed_once_and_finished_sequences_not_at_all() {
    let model = bundled(Precision::F32);
    let prompts: Vec<Vec<u32>> = reference().into_iter().map(|one| one.prompt).collect();
    let of_prompts: usize = prompts.iter().map(Vec::len).sum();
    let batch = Batch::new(prompts).unwrap();
    let n_layers = model.config().n_layers;
    let whole = model.generate(&batch, 8).execute().unwrap();
    assert_eq!(whole.work.attention_rows, n_layers * (of_prompts + 3 * 7));
    assert_eq!(whole.work.unembedded_rows, 3 * 8);

    // A token that ends one sequence early and the others late or never.
    let stop = whole.tokens[0][2];
    let ends = |tokens: &[u32]| tokens.iter().position(|&token| token == stop);
    let lengths: Vec<usize> =
        whole.tokens.iter().map(|tokens| ends(tokens).map_or(8, |last| last + 1)).collect();
    assert_ne!(lengths[0], lengths[1]);
    let stopped = model.generate(&batch, 8).stop_token(stop).execute().unwrap();
    for (sequence, &len) in lengths.iter().enumerate() {
        assert_eq!(stopped.tokens[sequence], whole.tokens[sequence][..len]);
    }
    let rows = of_prompts + lengths.iter().map(|len| len - 1).sum::<usize>();
    assert_eq!(stopped.work.mlp_rows, n_layers * rows);
}

#[test]
fn what_is_drawn_depends_on_seed_and_example_and_not_on_the_batch() {
    let model = bundled(Precision::F64);
    let prompts: Vec<Vec<u32>> = reference().into_iter().map(|one| one.prompt).collect();
    let drawn = |batch: &Batch, seed: u64| {
        let sampling = Sampling::seeded(0.9, seed).unwrap();
        model.generate(batch, 12).sampling(sampling).execute().unwrap().tokens
    };
    let together = drawn(&Batch::new(prompts.clone()).unwrap(), 7);
    for (example, prompt) in prompts.iter().enumerate() {
        let alone = Batch::single(prompt.clone()).unwrap();
        let numbered = alone.clone().with_examples([example as u64]).unwrap();
        assert_eq!(drawn(&numbered, 7)[0], together[example]);
        assert_ne!(drawn(&numbered, 8)[0], together[example]);
    }
    let twice = drawn(&Batch::new([prompts[0].clone(), prompts[0].clone()]).unwrap(), 7);
    assert_ne!(twice[0], twice[1]);
}

#[test]
fn tokens_are_drawn_with_their_probabilities() {
    let model = bundled(Precision::F64);
    let prompt = reference().remove(0).prompt;
    let n: u64 = 4000;
    let batch = Batch::new(vec![prompt.clone(); n as usize]).unwrap();
    let logits = model.run(&single(&prompt)).execute().unwrap().logits.last(0).unwrap();
    let drawn = |sampling: Sampling| -> Vec<u32> {
        let generated = model.generate(&batch, 1).sampling(sampling).execute().unwrap();
        generated.tokens.into_iter().map(|tokens| tokens[0]).collect()
    };
    let scaled = logits.mapv(|logit| (logit / 0.5).exp());
    let all = drawn(Sampling::seeded(0.5, 1).unwrap());
    let likely = hooked_gpt2::analysis::rank::top_k(logits.view(), 3).unwrap();
    for ranked in &likely {
        let probability = scaled[ranked.token as usize] / scaled.sum();
        let count = all.iter().filter(|&&token| token == ranked.token).count() as f64;
        let std = (n as f64 * probability * (1.0 - probability)).sqrt();
        assert!((count - n as f64 * probability).abs() < 4.0 * std, "{ranked:?}: {count}");
    }
    let of_two = drawn(Sampling::seeded_top_k(2, 0.5, 1).unwrap());
    assert!(of_two.iter().all(|token| likely[..2].iter().any(|ranked| ranked.token == *token)));
    assert!(likely[..2].iter().all(|ranked| of_two.contains(&ranked.token)));
    assert!(drawn(Sampling::greedy()).iter().all(|&token| token == likely[0].token));
}

#[test]
fn what_cannot_be_generated_is_refused_before_the_first_step() {
    let model = tiny(Precision::F64);
    let batch = single(&[1, 2, 3, 4]);
    let failure = |generation: Generation<'_>| generation.execute().unwrap_err();
    assert!(matches!(failure(model.generate(&batch, 0)), Error::Run(RunError::NoNewTokens)));
    // The last new token is chosen and not computed: a context of 32 holds 4 and 28 more.
    assert!(model.generate(&batch, 29).execute().is_ok());
    for too_many in [30, usize::MAX] {
        let error = failure(model.generate(&batch, too_many));
        let Error::Run(RunError::ContinuationTooLong { prompt: 4, new, n_ctx: 32, .. }) = error
        else {
            panic!("{error}");
        };
        assert_eq!(new, too_many);
    }
    for temperature in [0.0, -1.0, f64::NAN, f64::INFINITY] {
        assert!(matches!(
            Sampling::seeded(temperature, 0),
            Err(Error::Run(RunError::Temperature { .. }))
        ));
    }
    for k in [0, 102] {
        let sampling = Sampling::seeded_top_k(k, 1.0, 0).unwrap();
        let error = failure(model.generate(&batch, 3).sampling(sampling));
        assert!(
            matches!(error, Error::Analysis(AnalysisError::TopKOutOfRange { allowed: 101, .. })),
            "{error}"
        );
    }
    let fails = |change: &dyn Fn(&mut Interventions)| {
        let mut hooks = Interventions::new();
        hooks.edit("fails", At::embed(), |_, _| Err(Error::Batch(BatchError::EmptyBatch)));
        change(&mut hooks);
        failure(model.generate(&batch, 3).hooks(&hooks))
    };
    // Three new tokens compute positions 4 and 5.
    let outside = fails(&|hooks| {
        let _ = hooks.zero(At::resid_pre(1).positions(Positions::at(6)));
    });
    assert!(
        matches!(
            reason(&outside),
            Error::Selection(SelectionError::PositionOutOfRange { len: 6, .. })
        ),
        "{outside}"
    );
    let of_prompt =
        hooked_gpt2::tch::Tensor::zeros([4, 24], (hooked_gpt2::tch::Kind::Double, Device::Cpu));
    let misfit = fails(&|hooks| {
        let _ = hooks.set(At::resid_pre(1), &of_prompt).unwrap();
    });
    assert!(
        matches!(reason(&misfit), Error::Intervention(InterventionError::Replacement { .. })),
        "{misfit}"
    );
}

#[test]
fn a_banned_token_is_never_chosen_and_nan_is_named_with_its_place() {
    let model = tiny(Precision::F64);
    let prompt = Batch::single([3, 14, 15]).unwrap();
    let plain = model.generate(&prompt, 4).execute().unwrap().tokens;
    let banned: Vec<usize> = plain[0].iter().map(|&token| token as usize).collect();
    let infinity = hooked_gpt2::tch::Tensor::from_slice(&[f64::NEG_INFINITY]);
    let mut hooks = Interventions::new();
    hooks.set(At::unembed().tokens(banned.iter().copied()), &infinity).unwrap();
    for sampling in [Sampling::greedy(), Sampling::seeded(1.0, 3).unwrap()] {
        let run = model.generate(&prompt, 12).hooks(&hooks).sampling(sampling);
        let tokens = run.execute().unwrap().tokens;
        assert!(tokens[0].iter().all(|&token| !banned.contains(&(token as usize))));
    }
    let mut none = Interventions::new();
    none.set(At::unembed(), &infinity).unwrap();
    let error = model.generate(&prompt, 2).hooks(&none).execute().unwrap_err();
    assert!(matches!(error, Error::Run(RunError::NothingToDraw { .. })), "{error}");
    let mut nan = Interventions::new();
    nan.edit("0/0", At::unembed(), |logits, _| Ok(logits.f_mul_scalar(f64::NAN)?));
    let error = model.generate(&prompt, 2).hooks(&nan).execute().unwrap_err();
    assert!(error.to_string().starts_with("the logits are NaN at position 2"), "{error}");
}

#[test]
fn the_coldest_temperatures_draw_the_most_likely_token() {
    let (model, prompts) = (tiny(Precision::F64), single(&[3, 14, 15]));
    let greedy = model.generate(&prompts, 6).execute().unwrap().tokens;
    for temperature in [5e-324, 1e-320, 1e-308, 1e-300, 1e-6] {
        for k in [1, 101] {
            let cold = Sampling::seeded_top_k(k, temperature, 1).unwrap();
            let drawn = model.generate(&prompts, 6).sampling(cold).execute().unwrap().tokens;
            assert_eq!(drawn, greedy, "{temperature:e}");
        }
    }
}

const PROMPTS: [&[u32]; 2] = [&[3, 14, 15, 92, 65], &[35, 89]];
const NEW: usize = 7;

/// What is changed while [`PROMPTS`] are continued.
fn halved() -> Interventions {
    let mut hooks = Interventions::new();
    hooks.scale(At::resid_mid(1), 0.5).unwrap().scale(At::v(2).heads([1]), 3.0).unwrap();
    hooks
}

/// Each whole text of a generation but its last token, which is not computed.
fn computed(generated: &Generated) -> Batch {
    let texts = PROMPTS.iter().zip(&generated.tokens);
    let texts = texts.map(|(prompt, new)| [prompt, &new[..new.len() - 1]].concat());
    Batch::new(texts.collect::<Vec<_>>()).unwrap()
}

#[test]
fn what_is_captured_in_steps_is_what_one_run_over_the_whole_text_captures() {
    let (hooks, sites) = (halved(), Site::all(3).collect::<Vec<_>>());
    for precision in [Precision::F32, Precision::F64] {
        let (model, prompts) = (tiny(precision), Batch::new(PROMPTS).unwrap());
        // One sequence stops before the other, so that the groups of later steps are others.
        let stopping = |seed| {
            let sampling = Sampling::seeded(5.0, seed).unwrap();
            let whole = model.generate(&prompts, NEW).hooks(&hooks).sampling(sampling);
            let whole = whole.execute().unwrap().tokens;
            let stop = whole[1][2..NEW - 1].iter().find(|token| !whole[0].contains(token));
            stop.map(|&stop| (sampling, stop))
        };
        let (sampling, stop) = (0..20).find_map(stopping).unwrap();
        let generation = model.generate(&prompts, NEW).hooks(&hooks).sampling(sampling);
        let generation = generation.stop_token(stop);
        let generated = generation.capture(sites.iter().copied()).execute().unwrap();
        assert!(generated.tokens[1].len() < NEW && generated.tokens[0].len() == NEW);
        let texts = computed(&generated);
        let whole = model.run(&texts).hooks(&hooks).capture(sites.iter().copied());
        let whole = whole.execute().unwrap().activations;
        for &site in &sites {
            for sequence in 0..2 {
                let of = |kept: &hooked_gpt2::Activations| {
                    let tensor = kept.get(site, sequence).unwrap();
                    // Of scores, those that are negative infinity become 0.
                    if site == Site::attn_scores(site.layer().unwrap_or(9)) {
                        tensor.exp()
                    } else {
                        tensor
                    }
                };
                let (found, expected) = (of(&generated.activations), of(&whole));
                let allowed = tolerance::of_activations(precision, largest(&expected));
                let difference = largest_difference(&found, &expected);
                assert!(difference <= allowed, "{site} of {sequence}: {difference:e}");
            }
        }
        assert!(generated.activations.get(Site::z(1), 2).is_err());
    }
}

#[test]
fn captures_in_steps_may_be_cut_and_reduced_as_in_a_run() {
    let (model, prompts, hooks) = (tiny(Precision::F64), Batch::new(PROMPTS).unwrap(), halved());
    let (norm, pattern) = (Capture::new(Site::z(2)).norm(), Capture::new(Site::pattern(1)).norm());
    let (top, moments) =
        (Capture::new(Site::mlp_post(0)).top_k(3), Capture::new(Site::resid_post(2)).moments());
    let (last, later) = (
        Capture::new(Site::resid_pre(1)).positions(Positions::last()),
        Capture::new(Site::q(1)).positions(Positions::starting_at(5)),
    );
    let before = Capture::new(Site::resid_mid(1)).before_edits();
    let generation = model.generate(&prompts, NEW).hooks(&hooks).capture([&norm, &pattern]);
    let generation =
        generation.capture([&top]).capture([&moments]).capture([&last, &later, &before]);
    let generated = generation.execute().unwrap();
    let texts = computed(&generated);
    let run = model.run(&texts).hooks(&hooks).capture([&norm, &pattern]).capture([&top]);
    let run = run.capture([&moments]).capture([&later, &before]).capture([Site::resid_pre(1)]);
    let whole = run.execute().unwrap().activations;
    let assert_near = |found: &Tensor, expected: &Tensor| {
        let difference = largest_difference(found, expected);
        assert!(difference <= tolerance::F64 * largest(expected).max(1.0), "{difference:e}");
    };
    for (sequence, prompt) in PROMPTS.iter().enumerate() {
        for key in [&norm, &pattern] {
            let [found, expected] =
                [&generated.activations, &whole].map(|kept| kept.get(key, sequence).unwrap());
            assert_near(&found, &expected);
        }
        for key in [&later, &before] {
            let [found, expected] =
                [&generated.activations, &whole].map(|kept| kept.get(key, sequence).unwrap());
            assert_near(&found, &expected);
        }
        let [found, expected] =
            [&generated.activations, &whole].map(|kept| kept.get(&top, sequence).unwrap());
        assert_near(&found.values, &expected.values);
        assert!(found.indices.equal(&expected.indices));
        let [found, expected] =
            [&generated.activations, &whole].map(|kept| kept.get(&moments, sequence).unwrap());
        assert_eq!(found.count(), expected.count());
        assert_near(found.mean(), expected.mean());
        assert_near(&found.variance().unwrap(), &expected.variance().unwrap());
        // The last position of the prompt.
        let at = prompt.len() as i64 - 1;
        let expected = whole.get(Site::resid_pre(1), sequence).unwrap().narrow(0, at, 1);
        assert_near(&generated.activations.get(&last, sequence).unwrap(), &expected);
    }
}

#[test]
fn captures_of_a_generation_are_checked_before_it() {
    let (model, prompts) = (tiny(Precision::F64), Batch::new(PROMPTS).unwrap());
    let nothing = model.generate(&prompts, NEW).execute().unwrap().activations;
    let error = nothing.get(Site::z(0), 0).unwrap_err();
    assert!(matches!(error, Error::Capture(CaptureError::NotCaptured { .. })), "{error}");
    let beyond = Capture::new(Site::z(0)).positions(Positions::at(5 + NEW));
    for generation in [
        model.generate(&prompts, NEW).capture([Site::z(3)]),
        model.generate(&prompts, NEW).capture([&beyond]),
    ] {
        let error = generation.execute().unwrap_err();
        assert!(matches!(error, Error::Capture(CaptureError::Refused { .. })), "{error}");
    }
}

#[test]
fn the_log_probability_of_each_new_token_is_that_of_a_run_over_the_whole_text() {
    let (model, prompts, hooks) = (tiny(Precision::F64), Batch::new(PROMPTS).unwrap(), halved());
    // Drawn at another temperature: what the model gives the tokens stays what it is.
    for sampling in [Sampling::greedy(), Sampling::seeded(1.7, 5).unwrap()] {
        let generation = model.generate(&prompts, NEW).hooks(&hooks).sampling(sampling);
        let generated = generation.keep_top(4).execute().unwrap();
        let texts = computed(&generated);
        let logits = model.run(&texts).hooks(&hooks).execute().unwrap().logits;
        for (sequence, prompt) in PROMPTS.iter().enumerate() {
            let log_probs = logits.tensor(sequence).unwrap().log_softmax(-1, Kind::Double);
            assert_eq!(generated.log_probs[sequence].len(), NEW);
            assert_eq!(generated.top[sequence].len(), NEW);
            for (step, &token) in generated.tokens[sequence].iter().enumerate() {
                let of_step = log_probs.get((prompt.len() - 1 + step) as i64);
                let expected = of_step.double_value(&[i64::from(token)]);
                let found = generated.log_probs[sequence][step];
                assert!((found - expected).abs() <= tolerance::F64, "{found} {expected}");
                let (values, tokens) = of_step.topk(4, -1, true, true);
                for (place, ranked) in generated.top[sequence][step].iter().enumerate() {
                    assert_eq!(i64::from(ranked.token), tokens.int64_value(&[place as i64]));
                    let expected = values.double_value(&[place as i64]);
                    assert!((ranked.log_prob - expected).abs() <= tolerance::F64);
                }
            }
        }
    }
    assert!(model.generate(&prompts, 2).execute().unwrap().top.iter().all(Vec::is_empty));
    for k in [0, 102] {
        let error = model.generate(&prompts, 2).keep_top(k).execute().unwrap_err();
        let expected = AnalysisError::TopKOutOfRange { given: k, allowed: 101 };
        assert_eq!(error.to_string(), expected.to_string());
    }
}
