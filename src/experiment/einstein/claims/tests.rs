//! The claims on made-up numbers, of which each test changes one thing.

use ndarray::Array1;

use super::super::{Environment, ModelSummary, Prediction, SweepWork, Versions};
use super::*;
use crate::data::Bos;

/// A model of 24 layers of which all that was published is true.
fn published() -> EinsteinReport {
    let (n_layers, d_vocab) = (24, 100);
    let asked = EinsteinSweep::default();
    let row = |layer: usize| {
        // The last layer's factor is divided out.
        let (change, is_last) = (-1.0 + 0.03 * layer as f64, layer == n_layers - 1);
        LayerPrediction {
            layer,
            loss: if is_last { 5.0 } else { 5.0 + change },
            delta_loss: if is_last { 0.0 } else { change },
            rank: if is_last { 8 } else { 3 },
            probability: 0.01,
            entropy: if is_last { 3.0 } else { 2.5 },
            pearson: Some(if is_last { 1.0 } else { 0.995 }),
            mean_logit_shift: 20.0,
            logit_std_ratio: if is_last { 1.0 } else { 0.7 },
            share_shrunk: if is_last { 0.4 } else { 1.0 },
            largest_logit_change: if is_last { 1e-5 } else { 30.0 },
            top_k: Vec::new(),
        }
    };
    let clean =
        Prediction { loss: 5.0, rank: 8, probability: 0.0067, entropy: 3.0, top_k: Vec::new() };
    EinsteinReport {
        model: ModelSummary {
            name: "made up".to_owned(),
            n_layers,
            d_model: 1,
            n_heads: 1,
            d_vocab,
        },
        environment: Environment {
            dtype: "f32".to_owned(),
            device: "cpu".to_owned(),
            versions: Versions { hooked_gpt2: "0" },
        },
        prompt: asked.prompt.clone(),
        prompt_tokens: vec![0],
        target: asked.target.clone(),
        target_token: 0,
        scale: asked.scale,
        focus_layer: 2,
        options: asked,
        clean,
        layers: (0..n_layers).map(row).collect(),
        work: SweepWork { block_rows: 1, naive_block_rows: 1, passes: 1 },
        least_change: 0.001,
        findings: Vec::new(),
        clean_logits: Array1::zeros(d_vocab),
        focus_logits: Array1::zeros(d_vocab),
    }
}

/// The findings after a change.
fn after(change: impl FnOnce(&mut EinsteinReport)) -> Vec<Finding> {
    let mut report = published();
    change(&mut report);
    test(&report)
}

fn verdicts(findings: &[Finding]) -> [Verdict; 3] {
    [0, 1, 2].map(|number: usize| findings[number].verdict)
}

/// The words of a finding that do not hold.
fn missed(finding: &Finding) -> Vec<&str> {
    let missed = finding.parts.iter().filter(|part| part.holds == Some(false));
    missed.map(|part| part.words).collect()
}

use Verdict::{CannotBeTold, DoesNotHold, Holds};

#[test]
fn the_claims_are_those_published_and_hold_where_every_word_does() {
    let findings = after(|_| ());
    assert_eq!(verdicts(&findings), [Holds; 3], "{findings:#?}");
    let claims: Vec<_> = findings.iter().map(|finding| finding.claim).collect();
    assert_eq!(
        claims,
        [
            "layer 2 at 0.6 shrinks all logits and yet r ≈ 0.995 with the clean ones",
            "an early layer scaled down can raise the target's rank and lower its loss, like cooling \
             the softmax",
            "over 24 layers most do [lower the loss], the deepest least",
        ]
    );
    assert_eq!(findings[0].layers, [2]);
    assert_eq!(findings[2].layers, (0..23).collect::<Vec<_>>());
    assert!(
        findings.iter().flat_map(|finding| &finding.parts).all(|part| part.holds == Some(true))
    );
}

#[test]
fn logits_that_spread_are_not_shrunk_however_many_came_nearer_to_zero() {
    for ratio in [1.2, 1.0, 0.995] {
        let findings = after(|report| report.layers[2].logit_std_ratio = ratio);
        assert_eq!(verdicts(&findings), [DoesNotHold, Holds, Holds]);
        assert_eq!(missed(&findings[0]), ["shrinks"]);
    }
}

#[test]
fn half_of_the_logits_are_not_all() {
    for share in [0.503, 0.98] {
        let findings = after(|report| report.layers[2].share_shrunk = share);
        assert_eq!(missed(&findings[0]), ["all logits"]);
    }
}

#[test]
fn r_is_about_0_995_neither_far_below_nor_nearly_1() {
    for (r, holds) in [
        (Some(0.9899), DoesNotHold),
        (Some(0.9901), Holds),
        (Some(0.9974), Holds),
        (Some(0.9976), DoesNotHold),
        (Some(1.0), DoesNotHold),
        (None, DoesNotHold),
    ] {
        let findings = after(|report| report.layers[2].pearson = r);
        assert_eq!(findings[0].verdict, holds, "{r:?}");
        assert_eq!(findings[0].parts[2].measured, r);
    }
}

#[test]
fn another_layer_than_the_second_neither_holds_nor_fails_the_first_claim() {
    let findings = after(|report| {
        report.focus_layer = 7;
        report.layers[7].logit_std_ratio = 9.0;
    });
    assert_eq!((findings[0].verdict, &*findings[0].layers), (Holds, &[2][..]));
    let findings = after(|report| {
        report.focus_layer = 7;
        report.layers.retain(|row| row.layer == 7);
    });
    assert_eq!((findings[0].verdict, &*findings[0].layers), (CannotBeTold, &[7][..]));
    assert_eq!(findings[0].reason, Some(Reason::NotSwept { layers: vec![2] }));
    assert_eq!(findings[0].parts[0].measured, Some(0.7));
}

#[test]
fn a_softmax_whose_entropy_rises_is_not_cooled() {
    for change in [0.0, 0.3] {
        let findings = after(|report| {
            report.layers.iter_mut().for_each(|row| row.entropy = 3.0 + change);
        });
        assert_eq!(findings[1].verdict, DoesNotHold);
        assert_eq!(missed(&findings[1]), ["cooling"]);
    }
}

#[test]
fn each_word_of_the_second_claim_is_asked_of_one_and_the_same_layer() {
    let words = ["raise the target's rank", "lower its loss", "cooling", "like … the softmax"];
    let spoil: [fn(&mut LayerPrediction); 4] = [
        |row| row.rank = 8,
        |row| (row.loss, row.delta_loss) = (4.9995, -0.0005),
        |row| row.entropy = 2.9995,
        |row| row.pearson = Some(0.98),
    ];
    for (word, spoil) in words.into_iter().zip(spoil) {
        let findings = after(|report| report.layers[..6].iter_mut().for_each(spoil));
        assert_eq!(findings[1].verdict, DoesNotHold, "{word}");
        assert_eq!(missed(&findings[1]), [word]);
    }
    // Each early layer lacks another word.
    let findings = after(|report| {
        for (layer, row) in report.layers[..6].iter_mut().enumerate() {
            spoil[layer % 4](row);
        }
    });
    assert_eq!(findings[1].verdict, DoesNotHold);
}

#[test]
fn what_is_shown_is_the_layer_that_decided() {
    // Layer 0 has the lowest loss of all and a worse rank; of the early ones layer 4 alone does it all.
    let findings = after(|report| {
        for layer in [0, 1, 2, 3, 5] {
            report.layers[layer].rank = 9;
        }
        report.layers[4].rank = 1;
    });
    assert_eq!((findings[1].verdict, &*findings[1].layers), (Holds, &[4][..]));
    assert_eq!(findings[1].parts[0].measured, Some(7.0));
    assert_eq!(findings[1].parts[1].measured, Some(-1.0 + 0.03 * 4.0));
}

#[test]
fn a_layer_behind_the_first_quarter_is_not_an_early_one() {
    let findings = after(|report| report.layers[..6].iter_mut().for_each(|row| row.rank = 9));
    assert_eq!(findings[1].verdict, DoesNotHold);
    let findings = after(|report| report.layers[..5].iter_mut().for_each(|row| row.rank = 9));
    assert_eq!((findings[1].verdict, &*findings[1].layers), (Holds, &[5][..]));
}

#[test]
fn an_early_layer_that_was_not_swept_might_have_done_it() {
    let findings = after(|report| report.layers.retain(|row| row.layer == 3));
    assert_eq!((findings[1].verdict, &*findings[1].layers), (Holds, &[3][..]));
    let findings = after(|report| {
        report.layers.retain(|row| row.layer == 3);
        report.layers[0].rank = 8;
    });
    assert_eq!(findings[1].verdict, CannotBeTold);
    assert_eq!(findings[1].reason, Some(Reason::NotSwept { layers: vec![0, 1, 2, 4, 5] }));
    assert_eq!(findings[1].parts[0].measured, Some(0.0));
    let findings = after(|report| report.layers.retain(|row| row.layer > 5));
    assert_eq!(findings[1].reason, Some(Reason::NotSwept { layers: (0..6).collect() }));
    assert!(findings[1].parts.is_empty());
}

#[test]
fn a_target_on_top_has_no_room_to_rise() {
    let findings = after(|report| report.clean.rank = 0);
    assert_eq!(findings[1].reason, Some(Reason::NoRoomToRise));
    assert_eq!(verdicts(&findings), [Holds, CannotBeTold, Holds]);
}

#[test]
fn most_is_more_than_half_of_the_layers_that_change_anything() {
    for (n_higher, holds) in [(11, true), (12, false)] {
        let findings = after(|report| {
            report.layers[..n_higher].iter_mut().for_each(|row| row.delta_loss = -0.0005);
        });
        let share = &findings[2].parts[0];
        assert!((share.measured.unwrap() - (23 - n_higher) as f64 / 23.0).abs() < 1e-12);
        assert_eq!(share.holds, Some(holds));
    }
}

#[test]
fn the_deepest_quarter_must_lower_the_loss_less_than_every_other() {
    // The second quarter lowers it less than the deepest does.
    let findings = after(|report| {
        report.layers[6..12].iter_mut().for_each(|row| row.delta_loss = -0.2);
    });
    assert_eq!(missed(&findings[2]), ["the deepest least"]);
    // The mean of the deepest quarter is taken without the last layer, which changes nothing.
    let deepest = (18..23).map(|layer| -1.0 + 0.03 * f64::from(layer)).sum::<f64>() / 5.0;
    let measured = findings[2].parts[1].measured.unwrap();
    assert!((measured - (deepest + 0.2)).abs() < 1e-12, "{measured}");
}

#[test]
fn another_experiment_is_measured_and_not_judged() {
    type Change = fn(&mut EinsteinReport);
    let others: [(Change, Reason); 6] = [
        (|report| report.scale = 1.0, Reason::FactorOfOne),
        (|report| report.scale = 0.59, Reason::OtherFactor { given: 0.59, published: 0.6 }),
        (|report| report.scale = -0.6, Reason::OtherFactor { given: -0.6, published: 0.6 }),
        (|report| report.prompt.push('.'), Reason::OtherPrompt),
        (|report| report.options.bos = Bos::Prepend, Reason::OtherPrompt),
        (|report| report.target = " interested".to_owned(), Reason::OtherTarget),
    ];
    for (change, reason) in others {
        for (finding, published) in after(change).into_iter().zip(after(|_| ())) {
            assert_eq!(finding.verdict, CannotBeTold);
            assert_eq!(finding.reason.as_ref(), Some(&reason));
            assert_eq!(finding.claim, published.claim);
            for (part, published) in finding.parts.iter().zip(&published.parts) {
                assert_eq!((part.measured, part.holds), (published.measured, None));
            }
        }
    }
}

#[test]
fn the_last_layer_is_evidence_where_it_changes_something() {
    // A model of three layers, the last of which is the one of the claim.
    let three = |report: &mut EinsteinReport| {
        report.layers.truncate(3);
        report.model.n_layers = 3;
    };
    let findings = after(three);
    assert_eq!(findings[0].verdict, Holds);
    let findings = after(|report| {
        three(report);
        report.layers[2].largest_logit_change = 0.0009;
    });
    assert_eq!(findings[0].reason, Some(Reason::DividedOut { layer: 2 }));
}

#[test]
fn nothing_is_said_of_what_changes_nothing_or_of_too_few_layers() {
    let findings = after(|report| {
        report.layers.iter_mut().for_each(|row| row.largest_logit_change = 0.0009);
    });
    assert_eq!(verdicts(&findings), [CannotBeTold; 3]);
    let unchanged = |layers: Vec<usize>| Some(Reason::NoChange { layers, least: 0.001 });
    assert_eq!(findings[0].reason, unchanged(vec![2]));
    assert_eq!(findings[1].reason, unchanged((0..6).collect()));
    assert_eq!(findings[2].reason, unchanged((0..6).collect()));
    let findings = after(|report| {
        report.layers.truncate(7);
        report.model.n_layers = 7;
    });
    assert_eq!(findings[2].reason, Some(Reason::TooFewLayers { given: 7, needed: 8 }));
}

#[test]
fn roundings_of_bf16_are_no_changes() {
    let findings = after(|report| {
        report.least_change = 0.05;
        report.layers.iter_mut().for_each(|row| row.delta_loss = -0.04);
    });
    assert_eq!(missed(&findings[1]), ["lower its loss"]);
    assert_eq!(findings[2].parts[0].measured, Some(0.0));
}

#[test]
fn reasons_are_said_in_words() {
    let not_swept = |layers: &[usize]| Reason::NotSwept { layers: layers.to_vec() }.to_string();
    assert_eq!(not_swept(&[2]), "layer 2 was not swept");
    assert_eq!(not_swept(&[0, 1]), "layers 0 and 1 were not swept");
    assert_eq!(not_swept(&[0, 1, 2, 5]), "layers 0 to 2 and 5 were not swept");
    assert_eq!(not_swept(&[1, 4, 6, 7, 8]), "layers 1, 4 and 6 to 8 were not swept");
}
