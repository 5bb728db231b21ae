//! Directions between two sets of prompts: what follows from them, and what is refused.

use hooked_gpt2::analysis::separation::{Separation, auroc, d_prime};
use hooked_gpt2::error::LensError;
use hooked_gpt2::hook::{At, Capture, Positions, Site};
use hooked_gpt2::intervention::Interventions;
use hooked_gpt2::lens::SteeringVector;
use hooked_gpt2::tch::Kind;
use hooked_gpt2::{Batch, Error, Gpt2, Precision};
use ndarray::array;
use safetensors::Dtype;

use crate::support::{
    copy_of, fixtures, largest, largest_difference, load, single, stored_tensors, tiny,
    write_stored,
};
use crate::tolerance;

fn sets() -> (Batch, Batch) {
    let towards = Batch::new([vec![3, 14, 15], vec![92, 65, 35, 89]]).unwrap();
    (towards, Batch::new([vec![7, 9, 32], vec![38, 46, 26, 43]]).unwrap())
}

#[test]
fn steering_by_the_difference_of_one_pair_brings_one_prompt_to_the_other() {
    let model = tiny(Precision::F64);
    let (a, b) = (single(&[3, 14, 15]), single(&[7, 9, 32]));
    let last = Capture::new(Site::resid_post(1)).positions(Positions::last());
    let vector = SteeringVector::of_pairs(&model, &last, &a, &b).unwrap();
    let mut hooks = Interventions::new();
    let at = At::resid_post(1).positions(Positions::last());
    hooks.steer(at, &vector.direction, 1.0).unwrap();
    let steered = model.run(&b).hooks(&hooks).capture([&last]).execute().unwrap();
    let aim = model.run(&a).capture([&last]).execute().unwrap();
    let [steered, aim] = [steered, aim].map(|run| run.activations.get(&last, 0).unwrap());
    assert!(largest_difference(&steered, &aim) <= tolerance::F64 * largest(&aim));
    // Of one prompt each there is no spread.
    assert_eq!((vector.separation.high.std, vector.separation.d_prime), (None, None));
    assert_eq!(vector.separation.auroc, 1.0);
    approx::assert_relative_eq!(vector.cosines.as_ref().unwrap()[0], 1.0, max_relative = 1e-12);
    let apart = vector.separation.high.mean - vector.separation.low.mean;
    approx::assert_relative_eq!(apart, vector.norm, max_relative = 1e-9);
}

#[test]
fn a_direction_that_is_projected_out_is_the_same_in_both_sets() {
    let model = tiny(Precision::F64);
    let (towards, away_from) = sets();
    let last = Capture::new(Site::mlp_out(1)).positions(Positions::last());
    let vector = SteeringVector::of_sets(&model, &last, &towards, &away_from).unwrap();
    let mut hooks = Interventions::new();
    hooks.project_out(At::mlp_out(1), &vector.direction).unwrap();
    for batch in [&towards, &away_from] {
        let kept = model.run(batch).hooks(&hooks).capture([&last]).execute().unwrap().activations;
        for sequence in 0..2 {
            let along = kept.get(&last, sequence).unwrap().matmul(&vector.direction);
            assert!(largest(&along) < 1e-9 * vector.norm, "{along}");
        }
    }
}

#[test]
fn prompts_are_taken_one_by_one_however_many_there_are() {
    let model = tiny(Precision::F64);
    let many = |start: u32| Batch::new((0..70).map(|i| vec![(start + i) % 101, i])).unwrap();
    let (towards, away_from) = (many(1), many(50));
    let last = Capture::new(Site::resid_mid(0)).positions(Positions::last());
    let vector = SteeringVector::of_pairs(&model, &last, &towards, &away_from).unwrap();
    let mean = |batch: &Batch| {
        let kept = model.run(batch).capture([&last]).execute().unwrap().activations;
        let rows: Vec<_> = (0..70).map(|i| kept.get(&last, i).unwrap()).collect();
        hooked_gpt2::tch::Tensor::cat(&rows, 0).mean_dim(0, false, Kind::Double)
    };
    let expected = mean(&towards) - mean(&away_from);
    assert!(largest_difference(&vector.direction, &expected) <= tolerance::F64);
    assert_eq!(vector.separation.low.count, 70);
    assert_eq!(vector.cosines.as_ref().unwrap().len(), 70);
    let words = vector.to_string();
    assert!(
        words.starts_with("mean difference at blocks.0.hook_resid_mid at positions last, norm")
    );
    assert!(words.contains("\ntowards      70 prompts, projection") && words.contains("d′"));
}

#[test]
fn what_gives_no_direction_is_refused_with_the_reason() {
    let model = tiny(Precision::F64);
    let (towards, away_from) = sets();
    let pairs =
        |capture: Capture, towards: &Batch, away_from: &Batch| match SteeringVector::of_pairs(
            &model, &capture, towards, away_from,
        ) {
            Err(Error::Lens(error)) => error,
            other => panic!("{other:?}"),
        };
    for site in [Site::pattern(0), Site::attn_scores(0), Site::ln1_scale(0), Site::z(1)] {
        let error = pairs(Capture::new(site), &towards, &away_from);
        assert!(matches!(error, LensError::NotAVector { .. }), "{error}");
    }
    let two_heads = Capture::new(Site::result(1)).heads([0, 2]);
    assert_eq!(
        pairs(two_heads, &towards, &away_from).to_string(),
        "blocks.1.attn.hook_result, heads [0, 2] is not one vector at each position; allowed: all sites but \
         attn_scores, pattern and the scales of layer norms, with `heads([h])` where they have heads"
    );
    let site = || Capture::new(Site::resid_post(0));
    let three = Batch::new([[1], [2], [3]]).unwrap();
    let error = pairs(site(), &towards, &three);
    assert_eq!(error.to_string(), "pairs of 2 prompts with 3, as many are needed");
    let error = SteeringVector::of_sets(&model, &site(), &towards, &towards).unwrap_err();
    assert!(matches!(error, Error::Lens(LensError::NoDirection)), "{error}");
    let half = Batch::new([vec![3, 14, 15], vec![1, 2]]).unwrap();
    let error = pairs(site(), &towards, &half);
    assert!(matches!(error, LensError::EqualPair { pair: 0 }), "{error}");
    // The second pair has the same last token.
    let last = Capture::new(Site::embed()).positions(Positions::last());
    let last_token = Batch::new([vec![4], vec![7, 89]]).unwrap();
    let error = pairs(last, &towards, &last_token);
    assert!(matches!(error, LensError::EqualPair { pair: 1 }), "{error}");
    let error =
        SteeringVector::of_sets(&model, &Capture::new(Site::z(1)).heads([3]), &towards, &away_from);
    assert_eq!(
        error.unwrap_err().to_string(),
        "blocks.1.attn.hook_z, heads [3] cannot be captured: head 3 is out of range, allowed: 0 to 2"
    );
}

/// Prompts are run some at a time, which nobody who gives them knows of.
#[test]
fn a_prompt_that_does_not_fit_has_its_number_among_all_of_them() {
    let model = tiny(Precision::F64);
    let error = |capture: &Capture, last: Vec<u32>| {
        let prompts = vec![vec![3, 14, 15]; 70].into_iter().chain([last]);
        let prompts = Batch::new(prompts).unwrap();
        SteeringVector::of_sets(&model, capture, &prompts, &prompts).unwrap_err().to_string()
    };
    let n_ctx = model.config().n_ctx;
    let site = Capture::new(Site::resid_post(0));
    assert_eq!(
        error(&site, vec![1; n_ctx + 1]),
        format!("sequence 70 has {} tokens, the model's context holds {n_ctx}", n_ctx + 1)
    );
    let refused = error(&site.positions(Positions::at(2)), vec![1, 2]);
    let reason = "positions 2 do not fit sequence 70, which has 2 tokens";
    assert!(refused.ends_with(reason), "{refused}");
}

/// The tiny model, with this number in the first channel of token 3's embedding, and its negative in that of token 7.
fn with_embeddings_apart(number: f64, precision: Precision) -> Gpt2 {
    let copy = copy_of(&fixtures().join("tiny"));
    let path = copy.path().join("model.safetensors");
    let mut tensors = stored_tensors(&path);
    let w_e = tensors.values_mut().find(|stored| stored.shape == [101, 24]).unwrap();
    let rows = w_e.data.chunks_exact(w_e.data.len() / (101 * 24)).map(|bytes| match w_e.dtype {
        Dtype::F32 => f64::from(f32::from_le_bytes(bytes.try_into().unwrap())),
        _ => f64::from_le_bytes(bytes.try_into().unwrap()),
    });
    let mut rows: Vec<f64> = rows.collect();
    (rows[3 * 24], rows[7 * 24]) = (number, -number);
    w_e.data = rows.into_iter().flat_map(f64::to_le_bytes).collect();
    w_e.dtype = Dtype::F64;
    write_stored(&path, &tensors);
    load(copy.path(), precision)
}

#[test]
fn a_direction_beyond_the_numbers_of_the_model_is_refused_and_a_large_one_is_not() {
    let (three, seven) = (single(&[3]), single(&[7]));
    let between = |number, precision| {
        let model = with_embeddings_apart(number, precision);
        SteeringVector::of_pairs(&model, &Capture::new(Site::embed()), &three, &seven)
    };
    for (number, precision, words) in [
        // A power of two near 3e38: f32 holds it as it is.
        (
            2f64.powi(127),
            Precision::F32,
            "3.402823669209385e38, allowed: -3.4028234663852886e38 to 3.4028234663852886e38",
        ),
        (1e308, Precision::F64, "inf, allowed: -7.490388061926316e306 to 7.490388061926316e306"),
    ] {
        let error = between(number, precision).unwrap_err().to_string();
        assert_eq!(error, format!("number 0 of the direction is {words}"));
    }
    for (number, precision) in [(1e38, Precision::F32), (1e200, Precision::F64)] {
        let vector = between(number, precision).unwrap();
        assert!(vector.direction.isfinite().all().int64_value(&[]) == 1);
        assert!(vector.norm.is_finite());
        approx::assert_relative_eq!(vector.cosines.as_ref().unwrap()[0], 1.0, max_relative = 1e-12);
        approx::assert_relative_eq!(vector.norm, 2.0 * number, max_relative = 1e-6);
    }
}

#[test]
fn separations_have_the_values_of_their_formulas() {
    // By hand: means 4 and 1, variances 4 and 1.
    let (high, low) = (array![2.0, 4.0, 6.0], array![0.0, 1.0, 2.0]);
    approx::assert_relative_eq!(
        d_prime(high.view(), low.view()).unwrap(),
        3.0 / 2.5_f64.sqrt(),
        max_relative = 1e-15
    );
    // Of nine pairs eight are in order and one is tied.
    assert_eq!(auroc(high.view(), low.view()).unwrap(), 8.5 / 9.0);
    assert_eq!(auroc(low.view(), high.view()).unwrap(), 0.5 / 9.0);
    assert_eq!(auroc(array![0.0].view(), array![-0.0].view()).unwrap(), 0.5);
    // Neither size nor place of the numbers matters.
    let shifted = |values: &ndarray::Array1<f64>| values * 1e150 + 1e160;
    let (far, near) = (shifted(&high), shifted(&low));
    approx::assert_relative_eq!(
        d_prime(array![1e200, 3e200].view(), array![0.0, 1e200].view()).unwrap(),
        1.5 / ((2.0 + 0.5) / 2.0_f64).sqrt(),
        max_relative = 1e-14
    );
    assert!(d_prime(far.view(), near.view()).is_ok());
    let flat = array![1.0, 1.0];
    let separation = Separation::of(high.view(), flat.view()).unwrap();
    assert_eq!(separation.low.std, Some(0.0));
    assert!(separation.d_prime.is_some());
    assert_eq!(Separation::of(flat.view(), flat.view()).unwrap().d_prime, None);
    assert_eq!(
        auroc(array![f64::NAN].view(), flat.view()).unwrap_err().to_string(),
        "auroc: value 0 is NaN, a number is needed"
    );
    let none: ndarray::Array1<f64> = array![];
    assert_eq!(
        Separation::of(none.view(), flat.view()).unwrap_err().to_string(),
        "auroc needs at least 1 values, given: 0"
    );
}
