//! Projections, bounds, means and mean differences against Hugging Face with hooks.

use hooked_gpt2::hook::at::Any;
use hooked_gpt2::hook::{At, Capture, MeanActivations, Positions, Site, SiteShape};
use hooked_gpt2::intervention::{Clamp, Interventions};
use hooked_gpt2::lens::SteeringVector;
use hooked_gpt2::tch::{Kind, Tensor};
use hooked_gpt2::{Batch, Gpt2, Precision};

use crate::support::{Reference, fixtures, largest, largest_difference, single, tiny};
use crate::tolerance;

struct Given {
    reference: Reference,
    prompt: Vec<u32>,
}

/// What the model was given and gave in the reference.
fn given() -> Given {
    let tiny = fixtures().join("tiny");
    let prompt = Reference::of(&tiny).tokens("prompt.1");
    Given { reference: Reference::read(&tiny.join("edits.safetensors")), prompt }
}

impl Given {
    fn numbers(&self, name: &str) -> Vec<f64> {
        Vec::try_from(self.reference.tensor(name)).unwrap()
    }

    fn directions(&self, site: Site) -> &Tensor {
        let width = match site.shape() {
            SiteShape::Neurons => 96,
            SiteShape::HeadVector => 8,
            SiteShape::Vocabulary => 101,
            _ => 24,
        };
        self.reference.tensor(&format!("directions.{width}"))
    }

    /// The logits of an edited run are those of the reference.
    #[track_caller]
    fn check(&self, model: &Gpt2, key: &str, hooks: &Interventions) {
        let batch = single(&self.prompt);
        let positions = Positions::several([1, 3]);
        let run = model.run(&batch).hooks(hooks).unembed(positions).execute().unwrap();
        let (ours, expected) = (run.logits.tensor(0).unwrap(), self.reference.tensor(key));
        let (difference, precision) = (largest_difference(ours, expected), model.precision());
        assert!(difference <= tolerance::of_logits(precision), "{key} {precision}: {difference:e}");
    }

    fn means(&self, model: &Gpt2) -> (MeanActivations, MeanActivations) {
        let sites = || sites().filter(|site| !site.to_string().ends_with("attn_scores"));
        let equal = (0..3).map(|i| self.reference.tokens(&format!("reference.{i}")));
        let equal = Batch::new(equal).unwrap();
        let longer = single(&self.reference.tokens("reference.longer"));
        let over_tokens = |batch: &Batch| {
            let sites = sites().filter(|site| site.shape() != SiteShape::Attention);
            model.run(batch).mean_over_tokens(sites).unwrap()
        };
        let by_position = model.run(&equal).mean_by_position(sites()).unwrap();
        (by_position, over_tokens(&equal).merge(&over_tokens(&longer)).unwrap())
    }
}

/// The sites of the reference: of block 1, and outside the blocks.
fn sites() -> impl Iterator<Item = Site> {
    Site::all(3).filter(|site| site.layer().is_none_or(|layer| layer == 1))
}

fn head(site: Site, positions: Positions) -> At<Any> {
    At::site(site).heads([1]).positions(positions)
}

const PRECISIONS: [Precision; 2] = [Precision::F32, Precision::F64];

#[test]
fn projections_at_every_site_equal_hugging_face_with_hooks() {
    let given = given();
    let mut edits = 0;
    for precision in PRECISIONS {
        let model = tiny(precision);
        for site in sites() {
            if matches!(site.shape(), SiteShape::Attention | SiteShape::PerPosition) {
                continue;
            }
            let directions = given.directions(site);
            let (mut out, mut only, mut at_head) =
                (Interventions::new(), Interventions::new(), Interventions::new());
            out.project_out(At::site(site), directions).unwrap();
            given.check(&model, &format!("project_out.{site}"), &out);
            only.keep_only(At::site(site), directions).unwrap();
            given.check(&model, &format!("keep_only.{site}"), &only);
            if matches!(site.shape(), SiteShape::HeadVector | SiteShape::HeadResidual) {
                let at = head(site, Positions::at(2));
                at_head.project_out(at, &directions.get(0)).unwrap();
                given.check(&model, &format!("project_out.head.{site}"), &at_head);
            }
            edits += 1;
        }
    }
    assert_eq!(edits, 2 * 23);
}

#[test]
fn bounds_at_every_site_equal_hugging_face_with_hooks() {
    let given = given();
    for precision in PRECISIONS {
        let model = tiny(precision);
        for site in sites() {
            let bounds = given.numbers(&format!("bounds.{site}"));
            let mut hooks = Interventions::new();
            hooks.clamp(At::site(site), Clamp::between(bounds[0], bounds[1]).unwrap());
            given.check(&model, &format!("clamp.{site}"), &hooks);
            // Both bounds are the one and the other.
            let mut hooks = Interventions::new();
            hooks.clamp(At::site(site), Clamp::at_most(bounds[1]).unwrap());
            hooks.clamp(At::site(site), Clamp::at_least(bounds[0]).unwrap());
            given.check(&model, &format!("clamp.{site}"), &hooks);
        }
    }
}

#[test]
fn mean_ablation_at_every_site_equals_hugging_face_with_hooks() {
    let given = given();
    for precision in PRECISIONS {
        let model = tiny(precision);
        let (by_position, over_tokens) = given.means(&model);
        for site in by_position.sites() {
            let mut hooks = Interventions::new();
            hooks.mean_ablate(At::site(site), &by_position).unwrap();
            given.check(&model, &format!("mean_by_position.{site}"), &hooks);
            if site.shape() != SiteShape::Attention {
                let mut hooks = Interventions::new();
                hooks.mean_ablate(At::site(site), &over_tokens).unwrap();
                given.check(&model, &format!("mean_over_tokens.{site}"), &hooks);
            }
            let has_heads = !matches!(
                site.shape(),
                SiteShape::Residual
                    | SiteShape::Neurons
                    | SiteShape::PerPosition
                    | SiteShape::Vocabulary
            );
            if has_heads {
                let mut hooks = Interventions::new();
                hooks.mean_ablate(head(site, Positions::range(1..3)), &by_position).unwrap();
                given.check(&model, &format!("mean_by_position.head.{site}"), &hooks);
            }
        }
    }
}

fn captures() -> [(&'static str, Capture); 4] {
    [
        ("last", Capture::new(Site::resid_post(1)).positions(Positions::last())),
        ("all", Capture::new(Site::mlp_out(0))),
        ("head", Capture::new(Site::z(2)).heads([1]).positions(Positions::range(1..3))),
        ("neurons", Capture::new(Site::mlp_post(1)).positions(Positions::last())),
    ]
}

fn prompts(given: &Given, which: &str) -> Batch {
    Batch::new((0..5).map(|i| given.reference.tokens(&format!("{which}.{i}")))).unwrap()
}

#[test]
fn mean_differences_and_their_statistics_equal_those_of_hugging_face_and_scipy() {
    let given = given();
    let (towards, away_from) = (prompts(&given, "towards"), prompts(&given, "away_from"));
    for precision in [Precision::F32, Precision::F64, Precision::Bf16] {
        let model = tiny(precision);
        for (name, capture) in captures() {
            let vector = SteeringVector::of_pairs(&model, &capture, &towards, &away_from).unwrap();
            assert_eq!(vector.direction.kind(), kind_of(precision));
            let of = |what| format!("steering.{name}.{what}");
            let expected = given.reference.tensor(&of("direction"));
            if precision == Precision::Bf16 {
                continue;
            }
            // Roundings are those of the activations, whose difference it is.
            let kept = model.run(&towards).capture([&capture]).execute().unwrap().activations;
            let allowed =
                tolerance::of_activations(precision, largest(&kept.get(&capture, 0).unwrap()));
            let difference = largest_difference(&vector.direction, expected);
            assert!(difference <= allowed, "{name} {precision}: {difference:e}");
            if precision == Precision::F32 {
                continue;
            }
            let separation = vector.separation;
            let (high, low) = (separation.high, separation.low);
            let ours = [
                vector.norm,
                high.mean,
                high.std.unwrap(),
                low.mean,
                low.std.unwrap(),
                separation.d_prime.unwrap(),
                separation.auroc,
            ];
            for (ours, expected) in ours.into_iter().zip(given.numbers(&of("statistics"))) {
                approx::assert_relative_eq!(ours, expected, max_relative = tolerance::F64);
            }
            let cosines = vector.cosines.as_ref().unwrap();
            for (ours, expected) in cosines.iter().zip(given.numbers(&of("cosines"))) {
                approx::assert_relative_eq!(ours, &expected, max_relative = tolerance::F64);
            }
            let again = vector.separation_of(&model, &towards, &away_from).unwrap();
            assert_eq!(again, separation);
            let sets = SteeringVector::of_sets(&model, &capture, &towards, &away_from).unwrap();
            assert!(sets.cosines.is_none() && sets.separation == separation);
        }
    }
}

fn kind_of(precision: Precision) -> Kind {
    match precision {
        Precision::F64 => Kind::Double,
        Precision::F32 | Precision::Bf16 => Kind::Float,
    }
}
