//! Lenses of weights against TransformerLens, and against formulas with whole matrices.

use hooked_gpt2::error::{AnalysisError, SelectionError};
use hooked_gpt2::hook::Positions;
use hooked_gpt2::lens::{
    Composition, LayerNorms, composition_scores, copy_scores, copying_scores, neuron_scores,
};
use hooked_gpt2::tch::{Device, Kind, Tensor};
use hooked_gpt2::{Checkpoint, Error, Gpt2, Parameter, Precision};
use ndarray::{Array2, s};

use crate::lens_subjects::{PRECISIONS, PROMPTS, assert_close, subjects};
use crate::support::{single, tiny};
use crate::tolerance;

const HOW: [(LayerNorms, &str); 2] = [(LayerNorms::Raw, "raw"), (LayerNorms::Folded, "folded")];

#[test]
fn copying_is_that_of_the_whole_circuit_from_token_to_token() {
    for precision in PRECISIONS {
        for subject in subjects(precision) {
            for (layer_norms, how) in HOW {
                let ours = copying_scores(&subject.model, layer_norms).unwrap();
                let expected = subject.expected(&format!("copying.{how}"));
                assert_close(ours.view(), expected.view(), tolerance::F64, subject.name);
            }
        }
    }
}

#[test]
fn copy_scores_are_the_share_of_the_tokens_that_hugging_faces_heads_rank_highest() {
    for precision in PRECISIONS {
        for subject in subjects(precision) {
            for (positions, k) in
                [(Positions::all(), 5), (Positions::all(), 20), (Positions::last(), 20)]
            {
                let ours = copy_scores(subject.model.run(&subject.batch), &positions, k).unwrap();
                let mut copied = Array2::<f64>::zeros(ours.dim());
                let mut n_tokens = 0;
                for (sequence, prompt) in PROMPTS.into_iter().enumerate() {
                    let ranks = subject.expected(&format!("{prompt}.copy_ranks"));
                    for position in positions.indices(subject.len(sequence), sequence).unwrap() {
                        let ranks = ranks.slice(s![.., .., position]);
                        copied += &ranks.mapv(|rank| f64::from(u8::from(rank < k as f64)));
                        n_tokens += 1;
                    }
                }
                let expected = (copied / f64::from(n_tokens)).into_dyn();
                assert_close(ours.view(), expected.view(), 0.0, subject.name);
            }
        }
    }
    let model = tiny(Precision::F64);
    let batch = single(&[17, 3]);
    for k in [0, 102] {
        let error = copy_scores(model.run(&batch), &Positions::all(), k).unwrap_err();
        assert!(matches!(
            error,
            Error::Analysis(AnalysisError::TopKOutOfRange { given, allowed: 101 }) if given == k
        ));
    }
}

#[test]
fn composition_scores_are_those_of_transformer_lens() {
    for precision in PRECISIONS {
        for subject in subjects(precision) {
            for (layer_norms, how) in HOW {
                for composition in [Composition::Q, Composition::K, Composition::V] {
                    let ours =
                        composition_scores(&subject.model, composition, layer_norms).unwrap();
                    let expected = subject.expected(&format!("composition.{composition:?}.{how}"));
                    // Theirs is 0 where a head is no earlier than the other.
                    let expected = expected.into_dimensionality::<ndarray::Ix4>().unwrap();
                    for (index, &score) in ours.indexed_iter() {
                        if index.0 < index.2 {
                            let difference = (score - expected[index]).abs();
                            assert!(
                                difference < tolerance::F64,
                                "{} {composition:?}",
                                subject.name
                            );
                        } else {
                            assert!(score.is_nan());
                        }
                    }
                }
            }
        }
    }
}

#[test]
fn neuron_scores_are_those_of_the_whole_product_with_the_vocabulary() {
    for precision in PRECISIONS {
        for subject in subjects(precision) {
            let n_layers = subject.model.config().n_layers;
            for (layer_norms, how) in HOW {
                let ours = neuron_scores(&subject.model, 0..n_layers, 3, layer_norms).unwrap();
                for (ours, name) in [
                    (&ours.norm, "norm"),
                    (&ours.logit_var, "logit_var"),
                    (&ours.null_share, "null_share"),
                ] {
                    let expected = subject.expected(&format!("neurons.{how}.{name}"));
                    let what = format!("{} {how} {name}", subject.name);
                    assert_close(ours.view(), expected.view(), tolerance::F64, &what);
                }
            }
            let last = neuron_scores(&subject.model, n_layers - 1..n_layers, 3, LayerNorms::Raw);
            let last = last.unwrap();
            assert_eq!(last.layers, [n_layers - 1]);
            let expected = subject.expected("neurons.raw.logit_var");
            let expected = expected.slice(s![n_layers - 1..n_layers, ..]).to_owned().into_dyn();
            assert_close(last.logit_var.view(), expected.view(), tolerance::F64, "last");
        }
    }
}

#[test]
fn null_spaces_and_layers_that_are_not_there_are_refused() {
    let model = tiny(Precision::F64);
    let said = |error: Error| error.to_string();
    for directions in [0, 24] {
        let error = neuron_scores(&model, 0..1, directions, LayerNorms::Raw).unwrap_err();
        let expected = format!("a null space of {directions} directions, allowed: 1 to 23");
        assert_eq!(said(error), expected);
    }
    let error = neuron_scores(&model, 1..4, 3, LayerNorms::Raw).unwrap_err();
    assert!(matches!(error, Error::Selection(SelectionError::LayerOutOfRange { given: 3, .. })));
    let error = neuron_scores(&model, 1..1, 3, LayerNorms::Raw).unwrap_err();
    assert!(matches!(error, Error::Selection(SelectionError::EmptySelection { axis: "layer" })));
}

#[test]
fn a_large_vocabulary_is_read_in_pieces_that_add_up() {
    let checkpoint = Checkpoint::bundled().unwrap();
    let (model, _) = Gpt2::load(&checkpoint, Precision::F64, Device::Cpu).unwrap();
    let parameter = |parameter| model.parameter(parameter).unwrap();
    let (w_e, w_u) = (parameter(Parameter::w_e()), parameter(Parameter::w_u()));

    let copying = copying_scores(&model, LayerNorms::Raw).unwrap();
    let tokens = w_u.matmul(&w_e);
    let (w_v, w_o) = (parameter(Parameter::w_v(5)).get(3), parameter(Parameter::w_o(5)).get(3));
    let eigenvalues = w_o.matmul(&tokens).matmul(&w_v).linalg_eigvals();
    let size = eigenvalues.abs().sum(Kind::Double).double_value(&[]);
    let expected = eigenvalues.real().sum(Kind::Double).double_value(&[]) / size;
    assert!((copying[[5, 3]] - expected).abs() < tolerance::F64);

    let scores = neuron_scores(&model, 11..12, 12, LayerNorms::Raw).unwrap();
    let w_out = parameter(Parameter::w_out(11)).narrow(0, 0, 20);
    let length =
        |x: &Tensor, axis: i64| x.square().sum_dim_intlist(axis, true, Kind::Double).sqrt();
    let cosines = (&w_out / length(&w_out, 1)).matmul(&(&w_u / length(&w_u, 0)));
    let variances = cosines.var_dim(1, false, false);
    let (_, _, directions) = w_u.transpose(0, 1).svd(true, true);
    let null_space = directions.narrow(1, 116, 12);
    let shares = length(&w_out.matmul(&null_space), 1) / length(&w_out, 1);
    for neuron in 0..20 {
        let variance = variances.double_value(&[neuron]);
        assert!((scores.logit_var[[0, neuron as usize]] - variance).abs() < tolerance::F64);
        let share = shares.double_value(&[neuron, 0]);
        assert!((scores.null_share[[0, neuron as usize]] - share).abs() < tolerance::F64);
    }
}
