//! Each way in which an intervention could silently do nothing is an error or a report.

use hooked_gpt2::error::{HookError, SelectionError};
use hooked_gpt2::hook::{At, Capture, Hook, HookRegistry, NoHooks, Positions, Site};
use hooked_gpt2::intervention::{Interventions, Noise, Scale, Shuffle};
use hooked_gpt2::tch::{Device, Kind, Tensor};
use hooked_gpt2::{Batch, Error, Precision, Run};

use crate::support::{chain, reason, single, tiny};

const PROMPT: [u32; 5] = [3, 14, 15, 92, 65];

fn hooks(change: impl FnOnce(&mut Interventions)) -> Interventions {
    let mut hooks = Interventions::new();
    change(&mut hooks);
    hooks
}

/// Why `hooks` are refused, if they are, in a run that captures these.
fn refused(hooks: &Interventions, capture: &[Capture]) -> Option<String> {
    let batch = single(&PROMPT);
    let model = tiny(Precision::F64);
    let result = model.run(&batch).hooks(hooks).capture(capture).execute();
    result.err().map(|error| {
        assert!(matches!(reason(&error), Error::Hook(HookError::Overwritten { .. })), "{error}");
        error.to_string()
    })
}

fn value(size: &[i64]) -> Tensor {
    Tensor::ones(size, (Kind::Double, Device::Cpu))
}

#[test]
fn an_edit_that_a_later_one_at_its_site_overwrites_is_refused() {
    let at = || At::resid_mid(1).positions(Positions::at(2));
    let error = refused(
        &hooks(|hooks| {
            hooks.scale(at(), 2.0).unwrap().set(At::resid_mid(1), &value(&[24])).unwrap();
        }),
        &[],
    );
    assert_eq!(
        error.as_deref(),
        Some(
            "hook `Scale { factor: 2.0 }` cannot stand at blocks.1.hook_resid_mid, positions 2: it \
             changes nothing: `Set { value: Tensor[[24], Double] }` at \
             blocks.1.hook_resid_mid overwrites it"
        )
    );
    let overwritten = |later: Hook| {
        let hooks = hooks(|hooks| {
            hooks.edit("first", at(), |x, _| Ok(x.f_mul_scalar(3.0)?)).add(later);
        });
        refused(&hooks, &[]).is_some()
    };
    let scale = |at, factor| Hook::new(at, Scale::new(factor).unwrap());
    assert!(overwritten(scale(At::resid_mid(1), 0.0)));
    assert!(overwritten(scale(at(), 0.0)));
    assert!(overwritten(scale(At::resid_mid(1).sequences([0]), 0.0)));
    // What leaves something of it, or reads it, does not overwrite it.
    assert!(!overwritten(scale(At::resid_mid(1), 0.5)));
    assert!(!overwritten(scale(At::resid_mid(1).positions(Positions::range(0..2)), 0.0)));
    assert!(!overwritten(scale(at().channels([0, 1]), 0.0)));
}

#[test]
fn an_edit_that_only_reaches_an_overwritten_site_is_refused() {
    let overwritten = |earlier: Site, later: Hook| {
        let hooks = hooks(|hooks| {
            hooks.edit("first", At::site(earlier), |x, _| Ok(x.f_mul_scalar(3.0)?)).add(later);
        });
        refused(&hooks, &[]).is_some()
    };
    let zero = |at| Hook::new(at, Scale::ZERO);
    assert!(overwritten(Site::z(1), zero(At::attn_out(1))));
    assert!(overwritten(Site::embed(), zero(At::resid_post(1))));
    assert!(overwritten(Site::mlp_pre(1), zero(At::mlp_out(1))));
    assert!(overwritten(Site::ln_final_scale(), zero(At::ln_final_normalized())));
    // Another way leads past it.
    assert!(!overwritten(Site::z(0), zero(At::attn_out(1))));
    assert!(!overwritten(Site::v(1), Hook::new(At::pattern(1), Scale::ZERO)));
    assert!(!overwritten(Site::resid_pre(1), zero(At::attn_out(1))));
    // Attention and layer norms carry one position or channel to others.
    let some = At::resid_post(1).positions(Positions::range(0..4));
    assert!(!overwritten(Site::embed(), zero(some)));
}

#[test]
fn an_edit_that_a_capture_sees_before_it_is_overwritten_is_no_mistake() {
    let dead = hooks(|hooks| {
        hooks.scale(At::z(1), 2.0).unwrap().zero(At::attn_out(1));
    });
    for seen in [
        Capture::new(Site::z(1)),
        Capture::new(Site::result(1)),
        Capture::new(Site::attn_out(1)).before_edits(),
    ] {
        assert_eq!(refused(&dead, std::slice::from_ref(&seen)), None, "{seen:?}");
    }
    for unseen in [
        Capture::new(Site::z(1)).before_edits(),
        Capture::new(Site::q(1)),
        Capture::new(Site::attn_out(1)),
        Capture::new(Site::resid_mid(1)),
    ] {
        assert!(refused(&dead, std::slice::from_ref(&unseen)).is_some(), "{unseen:?}");
    }
}

#[test]
fn edits_in_different_sequences_do_not_overwrite_each_other() {
    let model = tiny(Precision::F64);
    let batch = Batch::new([PROMPT, PROMPT]).unwrap();
    let run = |hooks: &Interventions| model.run(&batch).hooks(hooks).execute().map(drop);
    let apart = hooks(|hooks| {
        hooks.scale(At::z(1).sequences([0]), 2.0).unwrap().zero(At::z(1).sequences([1]));
    });
    assert!(run(&apart).is_ok());
    let (scale, zero) = (
        hooks(|hooks| {
            hooks.scale(At::z(1), 2.0).unwrap();
        }),
        hooks(|hooks| {
            hooks.zero(At::z(1));
        }),
    );
    let each: [&dyn HookRegistry; 2] = [&scale, &zero];
    assert!(model.run(&batch).hooks_for_each(&each).execute().is_ok());
    let both = hooks(|hooks| {
        hooks.scale(At::z(1), 2.0).unwrap().zero(At::z(1));
    });
    let each: [&dyn HookRegistry; 2] = [&NoHooks, &both];
    let error = model.run(&batch).hooks_for_each(&each).execute().unwrap_err();
    let error = chain(&error);
    assert!(error.starts_with("sequence 1: ") && error.contains("it changes nothing"), "{error}");
}

#[test]
fn an_edit_that_mixes_positions_is_refused_where_they_come_one_by_one() {
    let model = tiny(Precision::F64);
    let batch = single(&PROMPT);
    let shuffled = hooks(|hooks| {
        hooks.shuffle(At::resid_pre(1), Shuffle::positions(1));
    });
    let error = model.generate(&batch, 3).hooks(&shuffled).execute().unwrap_err();
    assert!(matches!(reason(&error), Error::Hook(HookError::MixesPositions)), "{error}");
    let alone = hooks(|hooks| {
        hooks.add(Hook::new(At::resid_pre(1), Noise::gaussian(0.1, 1).unwrap()));
    });
    assert!(model.generate(&batch, 3).hooks(&alone).execute().is_ok());
}

#[test]
fn hooks_and_captures_outside_the_part_that_is_run_are_refused() {
    let model = tiny(Precision::F64);
    let batch = single(&PROMPT);
    let scaled = hooks(|hooks| {
        hooks.scale(At::resid_post(1), 0.5).unwrap();
    });
    let off_the_way = |run: Run<'_>| {
        let error = run.execute().unwrap_err();
        assert!(matches!(reason(&error), Error::Hook(HookError::AfterRun { .. })), "{error}");
    };
    off_the_way(model.run(&batch).hooks(&scaled).stop_after(Site::mlp_out(1)));
    off_the_way(model.run(&batch).capture([Site::resid_post(1)]).stop_after(Site::mlp_out(1)));
    assert!(model.run(&batch).hooks(&scaled).stop_after(Site::resid_post(1)).execute().is_ok());
}

#[test]
fn what_a_site_known_at_run_time_does_not_have_is_refused() {
    let model = tiny(Precision::F64);
    for at in [
        At::site(Site::embed()).heads([0]),
        At::site(Site::z(0)).neurons([0]),
        At::site(Site::mlp_post(0)).channels([0]),
        At::site(Site::resid_mid(0)).queries(Positions::at(0)),
        At::site(Site::z(0)).keys(Positions::at(0)),
        At::site(Site::resid_post(0)).tokens([0]),
    ] {
        let refused = hooks(|hooks| {
            hooks.zero(at.clone());
        });
        let error = model.run(&single(&PROMPT)).hooks(&refused).execute().unwrap_err();
        let is_selection = |error: &Error| {
            matches!(error, Error::Selection(SelectionError::SelectionAtSite { .. }))
        };
        assert!(is_selection(reason(&error)), "{error}");
    }
    let allowed = hooks(|hooks| {
        hooks.zero(At::site(Site::z(0)).heads([1]).channels([2]).positions(Positions::last()));
        hooks.scale(At::site(Site::pattern(1)).heads([0]).queries(Positions::last()), 0.5).unwrap();
    });
    assert!(model.run(&single(&PROMPT)).hooks(&allowed).execute().is_ok());
}

#[test]
fn a_registry_of_one_sequence_is_checked_together_with_the_shared_one() {
    let model = tiny(Precision::F64);
    let batch = single(&PROMPT);
    let failure = |shared: &Interventions, own: &Interventions| {
        let each: [&dyn HookRegistry; 1] = [own];
        model.run(&batch).hooks(shared).hooks_for_each(&each).execute().unwrap_err()
    };
    let skip = hooks(|hooks| {
        hooks.skip(1);
    });
    let inside = hooks(|hooks| {
        hooks.zero(At::z(1));
    });
    let error = failure(&skip, &inside);
    assert!(matches!(reason(&error), Error::Hook(HookError::InSkippedBlock)), "{error}");
    let norm = hooks(|hooks| {
        hooks.scale(At::ln1_scale(1), 2.0).unwrap();
    });
    let fork = hooks(|hooks| {
        hooks.zero(At::q_input(1));
    });
    let error = chain(&failure(&norm, &fork));
    assert!(error.contains("are both edited"), "{error}");
}
