//! Every site against an independent implementation, and what may be selected there.

use hooked_gpt2::hook::at::HeadVectors;
use hooked_gpt2::hook::{At, Positions, Site, SiteShape};
use hooked_gpt2::intervention::Interventions;
use hooked_gpt2::tch::{Kind, Tensor};
use hooked_gpt2::{Batch, Gpt2, Precision};

use crate::support::{Reference, fixtures, largest, largest_difference, reason, single, tiny};
use crate::tolerance;

fn reference() -> (Reference, Vec<u32>) {
    let tiny = fixtures().join("tiny");
    let prompt = Reference::of(&tiny).tokens("prompt.1");
    (Reference::read(&tiny.join("sites.safetensors")), prompt)
}

fn logits(model: &Gpt2, prompt: &[u32], hooks: &Interventions) -> Tensor {
    let batch = single(prompt);
    let output = model.run(&batch).hooks(hooks).execute().unwrap();
    output.logits.tensor(0).unwrap().shallow_clone()
}

/// Masked scores are negative infinity on both sides; their difference is not a number.
fn finite(tensor: &Tensor) -> Tensor {
    tensor.where_self(&tensor.isfinite(), &Tensor::zeros_like(tensor))
}

#[test]
fn every_site_holds_the_tensor_of_the_reference() {
    let (reference, prompt) = reference();
    let batch = single(&prompt);
    for precision in [Precision::F32, Precision::F64] {
        let model = tiny(precision);
        let sites: Vec<Site> = Site::all(model.config().n_layers).collect();
        let output = model.run(&batch).capture(sites.iter().copied()).execute().unwrap();
        for site in sites {
            let expected = reference.tensor(&format!("{precision}.{site}"));
            let ours = output.activations.get(site, 0).unwrap();
            assert!(ours.isfinite().equal(&expected.isfinite()), "{site}");
            let (ours, expected) = (finite(&ours), finite(expected));
            let allowed = tolerance::of_activations(precision, largest(&expected));
            let difference = largest_difference(&ours, &expected);
            assert!(difference <= allowed, "{site} in {precision}: {difference:e}");
        }
    }
}

#[test]
fn scaling_every_site_does_what_it_does_in_the_reference() {
    let (reference, prompt) = reference();
    for (precision, allowed) in [(Precision::F32, tolerance::F32), (Precision::F64, tolerance::F64)]
    {
        let model = tiny(precision);
        for site in Site::all(model.config().n_layers) {
            let mut hooks = Interventions::new();
            hooks.scale(At::site(site), 0.6).unwrap();
            let expected = reference.tensor(&format!("f64.scaled.{site}"));
            let difference = largest_difference(&logits(&model, &prompt, &hooks), expected);
            assert!(difference <= allowed, "{site} in {precision}: {difference:e}");
        }
    }
}

#[test]
fn editing_one_head_at_one_position_does_what_it_does_in_the_reference() {
    let (reference, prompt) = reference();
    for (precision, allowed) in [(Precision::F32, tolerance::F32), (Precision::F64, tolerance::F64)]
    {
        let model = tiny(precision);
        for layer in 0..model.config().n_layers {
            let vectors: [At<HeadVectors>; 8] = [
                At::attn_in(layer),
                At::q_input(layer),
                At::k_input(layer),
                At::v_input(layer),
                At::q(layer),
                At::k(layer),
                At::v(layer),
                At::z(layer),
            ];
            let mut cases: Vec<(String, Interventions)> = Vec::new();
            for at in vectors.into_iter().chain([At::result(layer)]) {
                let mut hooks = Interventions::new();
                let name = at.to_string();
                hooks.scale(at.heads([1]).positions(Positions::at(2)), -1.5).unwrap();
                cases.push((name, hooks));
            }
            for at in [At::attn_scores(layer), At::pattern(layer)] {
                let mut hooks = Interventions::new();
                let name = at.to_string();
                hooks.scale(at.heads([1]).queries(Positions::at(2)), -1.5).unwrap();
                cases.push((name, hooks));
            }
            for (name, hooks) in cases {
                let expected = reference.tensor(&format!("f64.head.{name}"));
                let difference = largest_difference(&logits(&model, &prompt, &hooks), expected);
                assert!(difference <= allowed, "{name} in {precision}: {difference:e}");
            }
        }
    }
}

#[test]
fn the_fused_path_and_the_explicit_one_differ_by_roundings() {
    let (_, prompt) = reference();
    for (precision, allowed) in
        [(Precision::F32, tolerance::FUSED_F32), (Precision::F64, tolerance::F64)]
    {
        let model = tiny(precision);
        let mut explicit = Interventions::new();
        for layer in 0..model.config().n_layers {
            explicit.scale(At::pattern(layer), 1.0).unwrap();
            explicit.scale(At::result(layer), 1.0).unwrap();
            explicit.scale(At::q_input(layer), 1.0).unwrap();
            explicit.scale(At::ln2_scale(layer), 1.0).unwrap();
        }
        let fused = logits(&model, &prompt, &Interventions::new());
        let difference = largest_difference(&logits(&model, &prompt, &explicit), &fused);
        assert!(difference <= allowed, "{precision}: {difference:e}");
    }
}

#[test]
fn heads_sum_to_what_attention_adds() {
    let (_, prompt) = reference();
    let (model, batch) = (tiny(Precision::F64), single(&prompt));
    let zeroed = Tensor::zeros([4, 24], (Kind::Double, hooked_gpt2::tch::Device::Cpu));
    for layer in 0..model.config().n_layers {
        let sites = [Site::result(layer), Site::attn_out(layer), Site::z(layer)];
        let output = model.run(&batch).capture(sites).execute().unwrap();
        let at = |site| output.activations.get(site, 0).unwrap();
        // The output bias is what is left when every head is silenced.
        let mut silent = Interventions::new();
        silent.scale(At::z(layer), 0.0).unwrap();
        let bias = model.run(&batch).hooks(&silent).capture([sites[1]]).execute().unwrap();
        let bias = bias.activations.get(sites[1], 0).unwrap();
        let summed = at(sites[0]).sum_dim_intlist(1, false, Kind::Double) + bias;
        assert!(largest_difference(&summed, &at(sites[1])) <= tolerance::F64);
        assert!(largest_difference(&summed, &zeroed) > 1e-3);
    }
}

#[test]
fn a_selection_reaches_its_part_and_no_other() {
    let model = tiny(Precision::F64);
    let batch = Batch::new([vec![3, 14, 15, 92], vec![6, 5, 35], vec![8, 9, 79, 3]]).unwrap();
    let sites = [Site::z(1), Site::mlp_post(1), Site::pattern(1), Site::unembed()];
    let clean = model.run(&batch).capture(sites).execute().unwrap();
    let mut hooks = Interventions::new();
    let last = Positions::last();
    hooks
        .scale(At::z(1).sequences([2]).heads([0, 2]).positions(last.clone()).channels([7]), 2.0)
        .unwrap()
        .scale(At::mlp_post(1).sequences([1]).neurons([5, 90]), 0.0)
        .unwrap()
        .scale(At::pattern(1).heads([1]).queries(last).keys(Positions::range(0..2)), 3.0)
        .unwrap()
        .scale(At::unembed().sequences([0]).tokens([100]), -1.0)
        .unwrap();
    let edited = model.run(&batch).hooks(&hooks).capture(sites).execute().unwrap();
    let counts: Vec<_> = edited.ledger.entries().iter().map(|e| (e.fired, e.elements)).collect();
    assert_eq!(counts, [(2, 3 * 2), (1, 2), (1, 3 * 2), (1, 4)]);

    // The pattern of block 1 is the first to change, and nothing before it has been edited.
    for (sequence, len) in [(0, 4), (1, 3), (2, 4)] {
        let at = |run: &hooked_gpt2::RunOutput| run.activations.get(sites[2], sequence).unwrap();
        let factors = Tensor::ones([3, len, len], (Kind::Double, hooked_gpt2::tch::Device::Cpu));
        let _ = factors.get(1).get(len - 1).narrow(0, 0, 2).fill_(3.0);
        assert!(largest_difference(&at(&edited), &(at(&clean) * factors)) <= tolerance::F64);
    }
    let neurons = edited.activations.get(sites[1], 1).unwrap();
    assert_eq!(largest(&neurons.select(1, 5)), 0.0);
    assert_eq!(largest(&neurons.select(1, 90)), 0.0);
    assert!(largest(&neurons.select(1, 6)) > 0.0);
    let other = edited.activations.get(sites[1], 0).unwrap();
    assert!(largest(&other.select(1, 5)) > 0.0);
}

#[test]
fn what_model_or_batch_do_not_have_is_refused_before_the_run() {
    let model = tiny(Precision::F32);
    let batch = Batch::new([vec![1, 2, 3], vec![4, 5]]).unwrap();
    let refused = |change: &dyn Fn(&mut Interventions)| {
        let mut hooks = Interventions::new();
        change(&mut hooks);
        reason(&model.run(&batch).hooks(&hooks).execute().unwrap_err()).to_string()
    };
    let scale = |hooks: &mut Interventions, at: At<HeadVectors>| {
        hooks.scale(at, 0.5).unwrap();
    };
    assert_eq!(
        refused(&|hooks| scale(hooks, At::z(2).heads([1, 3]))),
        "head 3 is out of range, allowed: 0 to 2"
    );
    assert_eq!(
        refused(&|hooks| scale(hooks, At::q(0).channels([8]))),
        "channel 8 is out of range, allowed: 0 to 7"
    );
    assert_eq!(
        refused(&|hooks| scale(hooks, At::result(0).channels([24]))),
        "channel 24 is out of range, allowed: 0 to 23"
    );
    assert_eq!(
        refused(&|hooks| scale(hooks, At::v(0).sequences([2]))),
        "sequence 2 is out of range, allowed: 0 to 1"
    );
    assert_eq!(
        refused(&|hooks| scale(hooks, At::v(0).heads([]))),
        "no head is selected, at least one is needed"
    );
    assert_eq!(
        refused(&|hooks| scale(hooks, At::k(0).positions(Positions::at(2)))),
        "positions 2 do not fit sequence 1, which has 2 tokens"
    );
    // The sequence that has the position may be edited there.
    let mut hooks = Interventions::new();
    scale(&mut hooks, At::k(0).sequences([0]).positions(Positions::at(2)));
    assert!(model.run(&batch).hooks(&hooks).execute().is_ok());
    assert_eq!(
        refused(&|hooks| {
            hooks.scale(At::mlp_pre(0).neurons([96]), 0.0).unwrap();
        }),
        "neuron 96 is out of range, allowed: 0 to 95"
    );
    assert_eq!(
        refused(&|hooks| {
            hooks.scale(At::pattern(0).keys(Positions::at(9)), 0.0).unwrap();
        }),
        "positions 9 do not fit sequence 1, which has 2 tokens"
    );
    let mut hooks = Interventions::new();
    hooks.scale(At::k_input(1), 0.5).unwrap().scale(At::ln1_scale(1), 2.0).unwrap();
    assert_eq!(
        model.run(&batch).hooks(&hooks).execute().unwrap_err().to_string(),
        "blocks.1.hook_k_input and blocks.1.ln1.hook_scale are both edited: \
         an edited fork has a layer norm of its own"
    );
}

#[test]
fn the_table_in_the_docs_is_the_list_of_sites() {
    let page = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/sites.md");
    let page = std::fs::read_to_string(page).unwrap();
    let is_site = |line: &&str| line.starts_with("| `") && line.contains("hook_");
    let rows = page.lines().filter(is_site).filter_map(|line| line.strip_prefix("| `"));
    let rows: Vec<(String, String)> = rows
        .map(|row| {
            let mut cells = row.split('|').map(|cell| cell.trim().trim_matches('`').to_owned());
            (cells.next().unwrap().replace("{l}", "0"), cells.nth(1).unwrap())
        })
        .collect();
    let sites = Site::all(1).map(|site| (site.to_string(), site.shape().to_string()));
    assert_eq!(rows, sites.collect::<Vec<_>>());
    assert_eq!(Site::z(0).shape(), SiteShape::HeadVector);
}
