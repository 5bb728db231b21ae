//! Parameters against TransformerLens and against the files, and what is left of the model when they are written
//! to.

use std::collections::BTreeSet;
use std::path::PathBuf;

use hooked_gpt2::error::SelectionError;
use hooked_gpt2::hook::Site;
use hooked_gpt2::tch::{Device, Kind, Tensor, no_grad};
use hooked_gpt2::{Error, Gpt2, Parameter, Precision};

use crate::support::{
    Reference, assert_identical, fixtures, largest, largest_difference, load, single, tiny,
};
use crate::tolerance;

const PRECISIONS: [Precision; 3] = [Precision::F32, Precision::F64, Precision::Bf16];
const PROMPT: [u32; 4] = [3, 14, 15, 9];

fn parameters(model: &Gpt2) -> impl Iterator<Item = (Parameter, Tensor)> {
    let read = |parameter| (parameter, model.parameter(parameter).unwrap());
    Parameter::all(model.config().n_layers).map(read)
}

fn logits(model: &Gpt2) -> Tensor {
    let output = model.run(&single(&PROMPT)).execute().unwrap();
    output.logits.tensor(0).unwrap().shallow_clone()
}

/// Whether it is a factor of a block's products, which bf16 rounds.
fn is_factor(name: &str) -> bool {
    name.starts_with("blocks.") && name.contains(".W_")
}

/// Elements of the memory that a tensor lies in.
fn elements_of_storage(tensor: &Tensor) -> i64 {
    let reaches = |len: i64| tensor.f_as_strided([len], [1], 0).is_ok();
    (0..).take_while(|&len| reaches(len + 1)).count() as i64
}

#[test]
fn every_parameter_is_that_of_transformer_lens_bit_for_bit() {
    for folder in ["parameters/tied", "parameters/untied"] {
        let path = fixtures().join(folder);
        let file = path.join("transformer_lens.safetensors");
        let reference = Reference::read(&file);
        let names: BTreeSet<String> =
            Tensor::read_safetensors(&file).unwrap().into_iter().map(|(name, _)| name).collect();
        for precision in PRECISIONS {
            let model = load(&path, precision);
            for (parameter, ours) in parameters(&model) {
                let name = parameter.to_string();
                let stored = reference.tensor(&name);
                let expected = match precision {
                    Precision::F64 => stored.to_kind(Kind::Double),
                    Precision::Bf16 if is_factor(&name) => {
                        stored.to_kind(Kind::BFloat16).to_kind(Kind::Float)
                    }
                    _ => stored.shallow_clone(),
                };
                assert_eq!(ours.size(), expected.size(), "{name}");
                assert_eq!(ours.kind(), expected.kind(), "{name} in {precision}");
                assert!(ours.equal(&expected), "{name} in {precision}");
            }
        }
        let ours: BTreeSet<String> =
            Parameter::all(2).map(|parameter| parameter.to_string()).collect();
        assert_eq!(ours, names);
    }
}

#[test]
fn the_parameters_put_together_are_the_checkpoint_of_hugging_face() {
    for (folder, n_layers) in [("tiny", 3), ("variants/untied", 2)] {
        let path = fixtures().join(folder);
        let file = Tensor::read_safetensors(path.join("model.safetensors")).unwrap();
        let model = load(&path, Precision::F32);
        let of = |parameter| model.parameter(parameter).unwrap();
        let mut whole = vec![
            ("transformer.wte.weight".to_owned(), of(Parameter::w_e())),
            ("transformer.wpe.weight".to_owned(), of(Parameter::w_pos())),
            ("transformer.ln_f.weight".to_owned(), of(Parameter::ln_final_w())),
            ("transformer.ln_f.bias".to_owned(), of(Parameter::ln_final_b())),
        ];
        if model.config().tie_word_embeddings {
            assert_identical(&of(Parameter::w_u()), &of(Parameter::w_e()).tr());
        } else {
            whole.push(("lm_head.weight".to_owned(), of(Parameter::w_u()).tr()));
        }
        for layer in 0..n_layers {
            let beside = |head_weights: Tensor| head_weights.permute([1, 0, 2]).flatten(1, 2);
            let (w_q, w_k, w_v) =
                (Parameter::w_q(layer), Parameter::w_k(layer), Parameter::w_v(layer));
            let (b_q, b_k, b_v) =
                (Parameter::b_q(layer), Parameter::b_k(layer), Parameter::b_v(layer));
            let c_attn = [w_q, w_k, w_v].map(|parameter| beside(of(parameter)));
            let bias = [b_q, b_k, b_v].map(|parameter| of(parameter).flatten(0, 1));
            whole.extend(
                [
                    ("ln_1.weight", of(Parameter::ln1_w(layer))),
                    ("ln_1.bias", of(Parameter::ln1_b(layer))),
                    ("attn.c_attn.weight", Tensor::cat(&c_attn, 1)),
                    ("attn.c_attn.bias", Tensor::cat(&bias, 0)),
                    ("attn.c_proj.weight", of(Parameter::w_o(layer)).flatten(0, 1)),
                    ("attn.c_proj.bias", of(Parameter::b_o(layer))),
                    ("ln_2.weight", of(Parameter::ln2_w(layer))),
                    ("ln_2.bias", of(Parameter::ln2_b(layer))),
                    ("mlp.c_fc.weight", of(Parameter::w_in(layer))),
                    ("mlp.c_fc.bias", of(Parameter::b_in(layer))),
                    ("mlp.c_proj.weight", of(Parameter::w_out(layer))),
                    ("mlp.c_proj.bias", of(Parameter::b_out(layer))),
                ]
                .map(|(name, tensor)| (format!("transformer.h.{layer}.{name}"), tensor)),
            );
        }
        assert_eq!(whole.len(), file.len());
        for (name, stored) in file {
            let (_, ours) = whole.iter().find(|(ours, _)| *ours == name).unwrap();
            assert!(ours.equal(&stored), "{folder}: {name}");
        }
    }
}

/// What an activation is by its formula, made of the parameters and of other activations.
fn by_formula(model: &Gpt2, at: &dyn Fn(Site) -> Tensor, layer: usize) -> Vec<(Site, Tensor)> {
    let of = |parameter| model.parameter(parameter).unwrap();
    // As the products of the blocks round what they take.
    let factor = |x: Tensor| match model.precision() {
        Precision::Bf16 => x.to_kind(Kind::BFloat16).to_kind(Kind::Float),
        _ => x,
    };
    let einsum =
        |equation: &str, x: Tensor, w| Tensor::einsum(equation, &[factor(x), of(w)], None::<i64>);
    let x = || {
        at(Site::ln1_normalized(layer)) * of(Parameter::ln1_w(layer)) + of(Parameter::ln1_b(layer))
    };
    let projected = |w, b| einsum("pd,hde->phe", x(), w) + of(b);
    let result = einsum("phe,hed->phd", at(Site::z(layer)), Parameter::w_o(layer));
    let mid =
        at(Site::ln2_normalized(layer)) * of(Parameter::ln2_w(layer)) + of(Parameter::ln2_b(layer));
    let post = einsum("pm,md->pd", at(Site::mlp_post(layer)), Parameter::w_out(layer));
    let kind = result.kind();
    vec![
        (Site::q(layer), projected(Parameter::w_q(layer), Parameter::b_q(layer))),
        (Site::k(layer), projected(Parameter::w_k(layer), Parameter::b_k(layer))),
        (Site::v(layer), projected(Parameter::w_v(layer), Parameter::b_v(layer))),
        (Site::attn_out(layer), result.sum_dim_intlist(1, false, kind) + of(Parameter::b_o(layer))),
        (Site::result(layer), result),
        (
            Site::mlp_pre(layer),
            einsum("pd,dm->pm", mid, Parameter::w_in(layer)) + of(Parameter::b_in(layer)),
        ),
        (Site::mlp_out(layer), post + of(Parameter::b_out(layer))),
    ]
}

#[test]
fn the_parameters_make_of_one_activation_the_next() {
    for path in ["tiny", "variants/untied", "parameters/tied", "parameters/untied"] {
        for precision in PRECISIONS {
            let model = load(&fixtures().join(path), precision);
            let (n_layers, prompt) = (model.config().n_layers, single(&[3, 1, 10, 9]));
            let run = model.run(&prompt).capture(Site::all(n_layers));
            let activations = run.execute().unwrap().activations;
            let at = |site| activations.get(site, 0).unwrap();
            let of = |parameter| model.parameter(parameter).unwrap();
            let normalized = at(Site::ln_final_normalized()) * of(Parameter::ln_final_w())
                + of(Parameter::ln_final_b());
            let tokens = Tensor::from_slice(&[3_i64, 1, 10, 9]);
            let mut formulas = vec![
                (Site::embed(), of(Parameter::w_e()).index_select(0, &tokens)),
                (Site::pos_embed(), of(Parameter::w_pos()).narrow(0, 0, 4)),
                (Site::unembed(), normalized.matmul(&of(Parameter::w_u()))),
            ];
            formulas.extend((0..n_layers).flat_map(|layer| by_formula(&model, &at, layer)));
            assert_eq!(formulas.len(), 3 + 7 * n_layers);
            for (site, expected) in formulas {
                let largest = largest(&expected);
                let allowed = match precision {
                    // The result of a product is rounded too: by half a step, 1/256 of itself.
                    Precision::Bf16 => largest / 256.0,
                    _ => tolerance::of_activations(precision, largest),
                };
                let difference = largest_difference(&at(site), &expected);
                assert!(difference <= allowed, "{path} {site} in {precision}: {difference:e}");
            }
        }
    }
}

#[test]
fn whatever_is_done_to_a_parameter_the_model_stays_as_it_is() {
    for precision in PRECISIONS {
        let model = tiny(precision);
        let clean = logits(&model);
        let before: Vec<Tensor> = parameters(&model).map(|(_, tensor)| tensor.copy()).collect();
        for ((parameter, mut tensor), before) in parameters(&model).zip(&before) {
            let untouched = model.parameter(parameter).unwrap();
            // A view of it, the tensor itself, and its flags.
            let _ = tensor.get(0).fill_(7.0);
            let _ = tensor.shallow_clone().set_requires_grad(true);
            assert!(!model.parameter(parameter).unwrap().requires_grad(), "{parameter}");
            no_grad(|| {
                let _ = tensor.zero_();
            });
            assert_eq!(largest(&tensor), 0.0);
            assert_identical(&untouched, before);
            assert_identical(&model.parameter(parameter).unwrap(), before);
        }
        assert_identical(&logits(&model), &clean);
        assert!(!logits(&model).requires_grad());
    }
}

#[test]
fn parameters_may_outlive_the_model_and_be_held_while_it_runs() {
    let model = tiny(Precision::F64);
    let clean = logits(&model);
    let held: Vec<(Parameter, Tensor)> = parameters(&model).collect();
    assert_identical(&logits(&model), &clean);
    drop(model);
    for ((parameter, ours), (_, again)) in held.iter().zip(parameters(&tiny(Precision::F64))) {
        assert!(ours.equal(&again), "{parameter}");
    }
}

#[test]
fn what_is_read_holds_nothing_else() {
    for precision in [Precision::F64, Precision::F32, Precision::Bf16] {
        let model = tiny(precision);
        // Queries, keys and values lie beside one another in the file.
        let w_k = model.parameter(Parameter::w_k(1)).unwrap();
        assert_eq!(elements_of_storage(&w_k), 24 * 24, "{precision}");
        let b_k = model.parameter(Parameter::b_k(1)).unwrap();
        assert_eq!(elements_of_storage(&b_k), 24, "{precision}");
    }
}

#[test]
fn a_layer_that_is_not_in_the_model_is_refused() {
    let error = tiny(Precision::F32).parameter(Parameter::b_q(3)).unwrap_err();
    assert_eq!(error.to_string(), "layer 3 is not in the model, allowed: 0 to 2");
}

#[test]
fn every_name_parses_back_and_a_wrong_one_gives_the_nearest_ones() {
    let all: Vec<Parameter> = Parameter::all(12).collect();
    assert_eq!(all.len(), 2 + 12 * 16 + 3);
    assert!(all.is_sorted_by(|a, b| a < b));
    for parameter in all {
        assert_eq!(parameter.to_string().parse::<Parameter>().unwrap(), parameter);
    }
    for (wrong, right) in [
        ("W_Q", "blocks.0.attn.W_Q"),
        ("blocks.3.W_Q", "blocks.3.attn.W_Q"),
        ("blocks.3.attn.w_q", "blocks.3.attn.W_Q"),
        ("blocks.03.attn.W_Q", "blocks.3.attn.W_Q"),
        ("blocks.+3.attn.W_Q", "blocks.3.attn.W_Q"),
        ("blocks.3.mlp.W_int", "blocks.3.mlp.W_in"),
        ("W_E", "embed.W_E"),
        ("unembed.b_U", "unembed.W_U"),
        (" embed.W_E", "embed.W_E"),
        ("", "embed.W_E"),
    ] {
        let error = wrong.parse::<Parameter>().unwrap_err();
        assert!(
            matches!(&error, Error::Selection(SelectionError::UnknownParameter { given, .. }) if given == wrong)
        );
        assert!(error.to_string().contains(right), "{error}");
    }
}

#[test]
fn the_table_in_the_docs_is_the_list_of_parameters() {
    let page: PathBuf = [env!("CARGO_MANIFEST_DIR"), "docs", "weights.md"].iter().collect();
    let page = std::fs::read_to_string(page).unwrap();
    let model = load(&fixtures().join("parameters/untied"), Precision::F64);
    let config = model.config();
    let length = |axis: &str| match axis {
        "d_vocab" => config.d_vocab,
        "n_ctx" => config.n_ctx,
        "head" => config.n_heads,
        "d_model" => config.d_model,
        "d_head" => config.d_head,
        "d_mlp" => config.d_mlp,
        _ => panic!("{axis}"),
    };
    let is_parameter = |row: &&str| row.starts_with("| `") && row.contains("| `[");
    let mut rows = page.lines().filter(is_parameter);
    for parameter in Parameter::all(1) {
        let row = rows.next().unwrap();
        let cells: Vec<&str> =
            row.split('|').map(|cell| cell.trim().trim_matches('`')).skip(1).collect();
        let name = parameter.to_string();
        assert_eq!(cells[0].replace("{l}", "0"), name);
        let constructor = name.replace("blocks.0.", "").replace("ln_final.", "ln_final_");
        let constructor = constructor.replace("ln1.", "ln1_").replace("ln2.", "ln2_");
        let constructor = constructor.rsplit('.').next().unwrap().to_lowercase();
        let layer = if name.starts_with("blocks") { "l" } else { "" };
        assert_eq!(cells[1], format!("{constructor}({layer})"));
        let axes = cells[2].trim_matches(['[', ']']).split(", ");
        let shape: Vec<i64> = axes.map(|axis| length(axis) as i64).collect();
        assert_eq!(model.parameter(parameter).unwrap().size(), shape, "{name}");
    }
    assert_eq!(rows.next(), None);
}

#[test]
#[ignore = "needs a CUDA device, and a libtorch that knows it"]
fn parameters_on_a_gpu_are_those_on_the_cpu_and_writing_to_them_leaves_the_model_alone() {
    let device = hooked_gpt2::device::parse("cuda").unwrap();
    for precision in PRECISIONS {
        let (gpu, cpu) = (crate::support::tiny_on(device, precision), tiny(precision));
        for (parameter, mut tensor) in parameters(&gpu) {
            assert_eq!(tensor.device(), device);
            let _ = tensor.fill_(7.0);
            let again = gpu.parameter(parameter).unwrap().to_device(Device::Cpu);
            assert_identical(&again, &cpu.parameter(parameter).unwrap());
        }
    }
}
