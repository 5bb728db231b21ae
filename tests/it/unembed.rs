//! Residual streams unembedded outside a run.

use hooked_gpt2::error::RunError;
use hooked_gpt2::hook::{Positions, Site};
use hooked_gpt2::tch::{Device, Kind, Tensor, no_grad};
use hooked_gpt2::{Batch, Error, Precision};

use crate::support::{
    Reference, assert_identical, fixtures, largest_difference, load, single, tiny,
};
use crate::tolerance;

#[test]
fn unembedding_what_leaves_the_last_block_equals_hugging_face() {
    let reference = Reference::of(&fixtures().join("tiny"));
    for precision in [Precision::F32, Precision::F64] {
        let model = tiny(precision);
        for prompt in ["prompt.0", "prompt.1"] {
            let of = |name: &str| reference.tensor(&format!("{precision}.{prompt}.{name}"));
            let logits = model.unembed(of("blocks.2.hook_resid_post")).unwrap();
            let difference = largest_difference(&logits, of("logits"));
            assert!(difference <= tolerance::of_logits(precision), "{prompt}: {difference:e}");
        }
    }
}

#[test]
fn unembedding_what_leaves_the_last_block_gives_the_logits_of_the_run_bit_for_bit() {
    for (path, last) in [("tiny", Site::resid_post(2)), ("variants/untied", Site::resid_post(1))] {
        for precision in [Precision::F32, Precision::F64, Precision::Bf16] {
            let model = load(&fixtures().join(path), precision);
            let batch = Batch::new([vec![3, 14, 15, 9, 2], vec![6, 5, 3, 5, 8]]).unwrap();
            let output = model.run(&batch).capture([last]).execute().unwrap();
            let residual = |sequence| output.activations.get(last, sequence).unwrap();
            let both = model.unembed(&Tensor::stack(&[residual(0), residual(1)], 0)).unwrap();
            for sequence in 0..2 {
                let logits = output.logits.tensor(sequence).unwrap();
                assert_identical(&both.get(sequence as i64), logits);
            }

            let alone = single(&[3, 14, 15, 9, 2]);
            let output = model.run(&alone).capture([last]).unembed(Positions::last());
            let output = output.execute().unwrap();
            let row = output.activations.get(last, 0).unwrap().get(-1);
            let logits = model.unembed(&row).unwrap();
            assert_eq!(logits.size(), [model.config().d_vocab as i64]);
            assert_identical(&logits, &output.logits.tensor(0).unwrap().get(0));
        }
    }
}

#[test]
fn any_axes_stand_before_the_last_one() {
    let model = tiny(Precision::F64);
    let rows = Tensor::randn([12, 24], (Kind::Double, Device::Cpu));
    let flat = model.unembed(&rows).unwrap();
    for shape in [vec![3, 4], vec![2, 1, 6], vec![12, 1]] {
        let (with, without) = ([&shape[..], &[24]].concat(), [&shape[..], &[101]].concat());
        let logits = model.unembed(&rows.view(&with[..])).unwrap();
        assert_identical(&logits, &flat.view(&without[..]));
    }
    // As captured residuals of a transposed stack lie.
    let strided = rows.view([3, 4, 24]).transpose(0, 1);
    let expected = flat.view([3, 4, 101]).transpose(0, 1);
    let difference = largest_difference(&model.unembed(&strided).unwrap(), &expected);
    assert!(difference <= tolerance::F64, "{difference:e}");
    let none = model.unembed(&rows.narrow(0, 0, 0)).unwrap();
    assert_eq!(none.size(), [0, 101]);
}

#[test]
fn gradients_flow_through_if_the_caller_wants_them() {
    let model = tiny(Precision::F64);
    let double = (Kind::Double, Device::Cpu);
    let residual = (Tensor::arange(24, double) * 0.7).sin().set_requires_grad(true);
    let logit = model.unembed(&residual).unwrap().get(7);
    let gradient = Tensor::run_backward(&[&logit], &[&residual], false, false).remove(0);
    for channel in [0, 5, 23] {
        let step = Tensor::zeros([24], double);
        let _ = step.get(channel).fill_(1e-5);
        let at = |shift: &Tensor| {
            no_grad(|| model.unembed(&(&residual + shift)).unwrap().double_value(&[7]))
        };
        let slope = (at(&step) - at(&-&step)) / 2e-5;
        approx::assert_abs_diff_eq!(gradient.double_value(&[channel]), slope, epsilon = 1e-6);
    }
    assert!(!no_grad(|| model.unembed(&residual).unwrap()).requires_grad());
    assert!(!model.unembed(&residual.detach()).unwrap().requires_grad());
}

#[test]
fn what_is_no_residual_stream_of_the_model_is_refused() {
    let model = tiny(Precision::F32);
    let refused = |tensor: Tensor| match model.unembed(&tensor) {
        Err(error @ Error::Run(RunError::UnembeddedForm { .. })) => error.to_string(),
        other => panic!("{other:?}"),
    };
    assert_eq!(
        refused(Tensor::zeros([2, 23], (Kind::Float, Device::Cpu))),
        "the residual stream to unembed is [2, 23] Float on Cpu, needed: […, 24] Float on Cpu"
    );
    assert!(refused(Tensor::zeros([24], (Kind::Double, Device::Cpu))).contains("[24] Double"));
    assert!(refused(Tensor::from(1.0_f32)).contains("is [] Float"));
}
