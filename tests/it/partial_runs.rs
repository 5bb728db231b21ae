//! Runs over a part of the model, and of several registries in one pass.

use hooked_gpt2::error::{HookError, RunError, SelectionError};
use hooked_gpt2::hook::{At, Capture, HookRegistry, NoHooks, Positions, Site};
use hooked_gpt2::intervention::{Interventions, LayerScaling};
use hooked_gpt2::tch::{Device, Kind, Tensor};
use hooked_gpt2::{Batch, Error, Gpt2, Precision, Run};

use crate::support::{assert_identical, chain, largest_difference, reason, single, tiny};
use crate::tolerance;

const PROMPTS: [&[u32]; 3] = [&[3, 14, 15, 92, 65], &[35, 89], &[79, 32, 38, 46, 26]];
/// Tokens of all prompts.
const ROWS: usize = 12;

fn batch() -> Batch {
    Batch::new(PROMPTS).unwrap()
}

fn all_sites(model: &Gpt2) -> Vec<Site> {
    Site::all(model.config().n_layers).collect()
}

#[test]
fn a_run_that_stops_gives_what_the_whole_run_gives_up_to_there() {
    let model = tiny(Precision::F64);
    let batch = batch();
    let sites = all_sites(&model);
    let clean = model.run(&batch).capture(sites.clone()).execute().unwrap();
    for (number, &site) in sites.iter().enumerate() {
        let passed = &sites[..=number];
        let run = model.run(&batch).capture(passed.iter().copied()).stop_after(site);
        let output = run.execute().unwrap();
        for &earlier in passed {
            for sequence in 0..PROMPTS.len() {
                let expected = clean.activations.get(earlier, sequence).unwrap();
                assert_identical(&output.activations.get(earlier, sequence).unwrap(), &expected);
            }
        }
        assert!(output.logits.positions(0).unwrap().is_empty());
        let error = output.logits.last(0).unwrap_err();
        assert!(matches!(error, Error::Run(RunError::NotUnembedded { .. })), "{error}");
    }
}

#[test]
fn what_comes_after_the_stop_is_not_computed() {
    let model = tiny(Precision::F64);
    let batch = batch();
    let work = |run: Run<'_>| {
        let work = run.execute().unwrap().work;
        [work.attention_rows, work.mlp_rows, work.unembedded_rows]
    };
    let run = || model.run(&batch);
    assert_eq!(work(run()), [3 * ROWS, 3 * ROWS, ROWS]);
    assert_eq!(work(run().unembed(Positions::last())), [3 * ROWS, 3 * ROWS, 3]);
    assert_eq!(work(run().stop_after(Site::pos_embed())), [0, 0, 0]);
    assert_eq!(work(run().stop_after(Site::v_input(0))), [0, 0, 0]);
    assert_eq!(work(run().stop_after(Site::ln1_normalized(1))), [ROWS, ROWS, 0]);
    assert_eq!(work(run().stop_after(Site::q(1))), [2 * ROWS, ROWS, 0]);
    assert_eq!(work(run().stop_after(Site::ln2_scale(1))), [2 * ROWS, ROWS, 0]);
    assert_eq!(work(run().stop_after(Site::mlp_out(1))), [2 * ROWS, 2 * ROWS, 0]);
    let last = Capture::new(Site::resid_pre(2)).positions(Positions::last());
    assert_eq!(work(run().capture([last]).without_logits()), [2 * ROWS, 2 * ROWS, 0]);
}

#[test]
fn a_run_resumed_from_a_residual_stream_is_the_whole_run_bit_for_bit() {
    let model = tiny(Precision::F32);
    let batch = batch();
    let sites = all_sites(&model);
    let mut hooks = Interventions::new();
    hooks.scale(At::mlp_out(2).positions(Positions::last()), 0.3).unwrap();
    let whole = model.run(&batch).hooks(&hooks).capture(sites.clone()).execute().unwrap();
    for layer in 0..3 {
        let residuals: Vec<Tensor> = (0..PROMPTS.len())
            .map(|sequence| whole.activations.get(Site::resid_pre(layer), sequence).unwrap())
            .collect();
        let on_the_way = sites.iter().copied().filter(|&site| site >= Site::resid_pre(layer));
        let run = model.run(&batch).hooks(&hooks).resume(layer, &residuals);
        let output = run.capture(on_the_way.clone()).execute().unwrap();
        assert_eq!(output.work.attention_rows, (3 - layer) * ROWS);
        for sequence in 0..PROMPTS.len() {
            let of = |logits: &hooked_gpt2::Logits| logits.tensor(sequence).unwrap().copy();
            assert_identical(&of(&output.logits), &of(&whole.logits));
            for site in on_the_way.clone() {
                let expected = whole.activations.get(site, sequence).unwrap();
                assert_identical(&output.activations.get(site, sequence).unwrap(), &expected);
            }
        }
    }
}

#[test]
fn a_run_resumed_behind_the_last_block_unembeds_what_leaves_it() {
    let model = tiny(Precision::F32);
    let batch = batch();
    let mut hooks = Interventions::new();
    hooks.scale(At::ln_final_scale().positions(Positions::last()), 0.3).unwrap();
    let last = Site::resid_post(2);
    let whole = model.run(&batch).hooks(&hooks).capture([last]).execute().unwrap();
    let residuals: Vec<Tensor> =
        (0..PROMPTS.len()).map(|sequence| whole.activations.get(last, sequence).unwrap()).collect();
    let output = model.run(&batch).hooks(&hooks).resume(3, &residuals).execute().unwrap();
    let work = output.work;
    assert_eq!([work.attention_rows, work.mlp_rows, work.unembedded_rows], [0, 0, ROWS]);
    assert!(output.ledger.entries()[0].change_l2 > 0.0);
    for sequence in 0..PROMPTS.len() {
        let of = |logits: &hooked_gpt2::Logits| logits.tensor(sequence).unwrap().copy();
        assert_identical(&of(&output.logits), &of(&whole.logits));
    }
}

#[test]
fn what_the_run_does_not_come_by_is_refused() {
    let model = tiny(Precision::F64);
    let batch = single(PROMPTS[1]);
    let double = (Kind::Double, Device::Cpu);
    let residuals = [Tensor::zeros([2, 24], double)];
    let refused = |run: Run<'_>| run.execute().unwrap_err().to_string();
    let late = "hook_resid_pre cannot be captured: the run stops after";
    let run = || model.run(&batch);
    assert_eq!(
        refused(run().capture([Site::resid_pre(2)]).stop_after(Site::z(1))),
        format!("blocks.2.{late} blocks.1.attn.hook_z")
    );
    let mut hooks = Interventions::new();
    hooks.zero(At::mlp_out(1));
    assert_eq!(
        refused(run().hooks(&hooks).capture([Site::resid_mid(1)]).without_logits()),
        "hook `Scale { factor: 0.0 }` cannot stand at blocks.1.hook_mlp_out: \
         the run stops after blocks.1.hook_resid_mid"
    );
    assert_eq!(
        refused(run().hooks(&hooks).resume(2, &residuals)),
        "hook `Scale { factor: 0.0 }` cannot stand at blocks.1.hook_mlp_out: \
         the run begins at blocks.2.hook_resid_pre"
    );
    assert!(refused(run().capture([Site::embed()]).resume(0, &residuals)).contains("begins at"));
    assert!(matches!(run().without_logits().execute(), Err(Error::Run(RunError::NothingAsked))));
    assert!(matches!(
        run().stop_after(Site::z(3)).execute(),
        Err(Error::Selection(SelectionError::LayerOutOfRange { given: 3, .. }))
    ));
    let mut late = Interventions::new();
    late.zero(At::resid_post(2));
    assert_eq!(
        refused(run().hooks(&late).resume(3, &residuals)),
        "hook `Scale { factor: 0.0 }` cannot stand at blocks.2.hook_resid_post: \
         the run begins at ln_final.hook_scale"
    );
    assert_eq!(
        refused(run().resume(4, &residuals)),
        "layer to resume at 4 is out of range, allowed: 0 to 3"
    );
    let backwards = run().resume(2, &residuals).stop_after(Site::z(1));
    assert_eq!(
        refused(backwards),
        "the run begins at blocks.2.hook_resid_pre and stops after blocks.1.attn.hook_z, which is earlier"
    );
    assert!(matches!(
        run().resume(1, &[]).execute(),
        Err(Error::Run(RunError::ResidualCount { given: 0, needed: 1 }))
    ));
    for wrong in
        [Tensor::zeros([3, 24], double), Tensor::zeros([2, 24], (Kind::Float, Device::Cpu))]
    {
        let wrong = [wrong];
        let error = run().resume(1, &wrong).execute().unwrap_err();
        assert!(matches!(error, Error::Run(RunError::ResidualForm { sequence: 0, .. })), "{error}");
    }
}

/// Registries that differ in everything: site, selection, skipped blocks.
fn registries() -> Vec<Box<dyn HookRegistry>> {
    let with = |change: &dyn Fn(&mut Interventions)| -> Box<dyn HookRegistry> {
        let mut hooks = Interventions::new();
        change(&mut hooks);
        Box::new(hooks)
    };
    let mut scaling = LayerScaling::new();
    scaling.insert(0, 0.6).unwrap();
    vec![
        Box::new(NoHooks),
        Box::new(scaling),
        with(&|hooks| {
            let _ = hooks.skip(1);
        }),
        with(&|hooks| {
            let _ = hooks.skip(0).zero(At::z(2).heads([1]).positions(Positions::last()));
        }),
        with(&|hooks| {
            let _ = hooks.scale(At::pattern(1).heads([0]), 1.5);
        }),
        with(&|hooks| {
            let _ = hooks.scale(At::ln1_normalized(1), 1.5);
        }),
        with(&|hooks| {
            let _ = hooks.scale(At::k_input(1).heads([2]), -1.0);
        }),
        with(&|hooks| {
            let _ = hooks.scale(At::embed().sequences([0]), 0.5);
        }),
        with(&|hooks| {
            let _ = hooks.knock_out(1, [0, 1], Positions::last(), Positions::at(0));
        }),
    ]
}

#[test]
fn one_registry_for_each_sequence_gives_what_each_gives_alone() {
    let model = tiny(Precision::F64);
    let owned = registries();
    let registries: Vec<&dyn HookRegistry> = owned.iter().map(|hooks| &**hooks).collect();
    // Lengths both equal and different, so that some of them are stacked.
    let prompts: Vec<&[u32]> = (0..registries.len()).map(|i| PROMPTS[i % 3]).collect();
    let batch = Batch::new(prompts.clone()).unwrap();
    let site = Site::resid_post(2);
    let run = model.run(&batch).hooks_for_each(&registries).capture([site]);
    let together = run.execute().unwrap();
    for (sequence, (prompt, hooks)) in prompts.iter().zip(&registries).enumerate() {
        let batch = single(prompt);
        let alone = model.run(&batch).hooks(*hooks).capture([site]).execute().unwrap();
        let logits = |output: &hooked_gpt2::RunOutput, sequence| {
            output.logits.tensor(sequence).unwrap().copy()
        };
        let difference = largest_difference(&logits(&together, sequence), &logits(&alone, 0));
        assert!(difference < tolerance::F64, "registry {sequence}: {difference:e}");
        let (a, b) = (together.activations.get(site, sequence), alone.activations.get(site, 0));
        assert!(largest_difference(&a.unwrap(), &b.unwrap()) < tolerance::F64);

        let own = together.ledger.entries().iter().filter(|entry| entry.sequence == Some(sequence));
        let own: Vec<_> = own.map(|entry| (entry.site, entry.fired, entry.elements)).collect();
        let entries = alone.ledger.entries().iter();
        let expected: Vec<_> = entries.map(|e| (e.site, e.fired, e.elements)).collect();
        assert_eq!(own, expected);
    }
    // Blocks are skipped for their sequences alone: two of them have two blocks each.
    let skipped = prompts[2].len() + prompts[3].len();
    let rows: usize = prompts.iter().map(|prompt| prompt.len()).sum();
    assert_eq!(together.work.mlp_rows, 3 * rows - skipped);
}

#[test]
fn a_site_that_one_sequence_skips_is_captured_of_the_others() {
    let model = tiny(Precision::F64);
    let batch = Batch::new([PROMPTS[0], PROMPTS[2]]).unwrap();
    let mut skip = Interventions::new();
    skip.skip(1);
    let hooks: [&dyn HookRegistry; 2] = [&NoHooks, &skip];
    let run = model.run(&batch).hooks_for_each(&hooks).capture([Site::z(1)]);
    let kept = run.execute().unwrap().activations;
    assert!(kept.get(Site::z(1), 0).is_ok());
    assert_eq!(
        kept.get(Site::z(1), 1).unwrap_err().to_string(),
        "blocks.1.attn.hook_z was not captured of sequence 1, captured of it: nothing"
    );
}

#[test]
fn registries_that_do_not_fit_the_batch_are_refused() {
    let model = tiny(Precision::F64);
    let batch = Batch::new([PROMPTS[0], PROMPTS[1]]).unwrap();
    let error = model.run(&batch).hooks_for_each(&[&NoHooks]).execute().unwrap_err();
    assert!(
        matches!(error, Error::Hook(HookError::RegistryCount { given: 1, needed: 2 })),
        "{error}"
    );
    let mut third = Interventions::new();
    third.zero(At::resid_pre(0).positions(Positions::at(2)));
    // The first sequence has a third position, the second has not.
    assert!(model.run(&batch).hooks_for_each(&[&third, &NoHooks]).execute().is_ok());
    let error = model.run(&batch).hooks_for_each(&[&NoHooks, &third]).execute().unwrap_err();
    let error = chain(&error);
    assert!(
        error.starts_with("sequence 1: hook") && error.contains("positions 2 do not fit"),
        "{error}"
    );
    let mut other = Interventions::new();
    other.zero(At::resid_pre(0).sequences([1]));
    let error = model.run(&batch).hooks_for_each(&[&NoHooks, &other]).execute().unwrap_err();
    assert!(
        matches!(
            reason(&error),
            Error::Selection(SelectionError::IndexOutOfRange { given: 1, len: 1, .. })
        ),
        "{error}"
    );
}
