//! Names of a megabyte with line breaks, and lists of ten thousand: errors stay one line that can be read.

use std::fmt;
use std::time::{Duration, Instant};

use hooked_gpt2::hook::{At, Capture, Edit, Hook, HookRegistry, Part, Positions, Site};
use hooked_gpt2::intervention::{Interventions, Scale, Set};
use hooked_gpt2::sweep::{Axis, Loss, Metric, Named, NextTokenLoss, Sweep, Variants};
use hooked_gpt2::tch::Tensor;
use hooked_gpt2::{Batch, Error, Parameter, Precision, Result, device};

use crate::support::{chain, single, tiny};

/// A megabyte of lines, with what moves a cursor.
fn long() -> String {
    "a long\nname\r\u{1b}[2J\0".repeat(60_000)
}

/// An edit whose `Debug` form is too long.
struct Wordy;

impl fmt::Debug for Wordy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&long())
    }
}

impl Edit for Wordy {
    fn apply(&self, selected: &Tensor, _part: &Part<'_>) -> Result<Tensor> {
        Ok(selected.unsqueeze(0))
    }
}

/// Hooks of one block, said to be of another one.
struct Misplaced(Interventions);

impl HookRegistry for Misplaced {
    fn hooks(&self, layer: usize) -> &[Hook] {
        self.0.hooks(layer + 1)
    }

    fn layers(&self) -> Vec<usize> {
        Vec::new()
    }
}

fn errors() -> Vec<Error> {
    let (model, batch) = (tiny(Precision::F32), single(&[3, 14, 15, 92, 65]));
    let run = |hooks: &dyn HookRegistry| model.run(&batch).hooks(hooks).execute().unwrap_err();
    let hooks = |change: &dyn Fn(&mut Interventions)| {
        let mut hooks = Interventions::new();
        change(&mut hooks);
        hooks
    };
    let site = || At::resid_post(1);
    let many = || Positions::several(0..10_000);
    let wordy = |at| Hook::new(at, Wordy);
    let over = |axes: Vec<Axis>, factor: f64| {
        let hooks = |_: &[usize], _: usize| {
            let mut hooks = Interventions::new();
            hooks.scale(At::resid_post(9), factor)?;
            Ok(hooks)
        };
        Variants::over(axes, hooks, &batch)
    };
    let factors = Variants::layer_factors(0..model.config().n_layers, &[0.5], &batch).unwrap();
    let plan = || Sweep::new(&model, &batch).plan(&factors).unwrap();
    let two = Batch::new([[1, 2], [3, 4]]).unwrap();
    let of_two = Variants::layer_factors(0..model.config().n_layers, &[0.5], &two).unwrap();
    let plan_of_two = || Sweep::new(&model, &two).plan(&of_two).unwrap();
    let named = |metric: Loss| metric.named(long());
    let measured = |metrics: &[&dyn Metric]| plan().measure(metrics).unwrap_err();
    let all: Vec<Positions> = (0..5_000).map(|at| Positions::range(0..at % 5 + 1)).collect();
    let captures = |kept: &[Positions]| -> Vec<Capture> {
        let captures = Site::all(3).flat_map(|site| {
            let kept = kept.iter().cloned();
            kept.map(move |positions| Capture::new(site).positions(positions))
        });
        captures.collect()
    };
    let kept = model.run(&batch).capture(captures(&all[..5])).execute().unwrap();
    let twice: Named<_> = named(Loss::of(1));
    let value =
        Tensor::ones([1; 60], (hooked_gpt2::tch::Kind::Float, hooked_gpt2::tch::Device::Cpu));
    let mut errors = vec![
        long().parse::<Site>().unwrap_err().into(),
        long().parse::<Parameter>().unwrap_err(),
        long().parse::<Precision>().unwrap_err(),
        device::parse(&long()).unwrap_err(),
        run(&hooks(&|hooks| _ = hooks.edit(long(), site(), |_, _| Ok(Tensor::new())))),
        run(&hooks(&|hooks| _ = hooks.add(wordy(site())))),
        run(&hooks(&|hooks| _ = hooks.add(wordy(site().positions(many()))))),
        run(&hooks(&|hooks| _ = hooks.add(wordy(site().channels(0..10_000))))),
        run(&hooks(&|hooks| _ = hooks.add(wordy(site().sequences(0..10_000))))),
        run(&hooks(&|hooks| _ = hooks.add(wordy(site())).add(Hook::new(site(), Scale::ZERO)))),
        run(&Misplaced(hooks(&|hooks| _ = hooks.add(wordy(At::resid_post(2)))))),
        run(&hooks(&|hooks| _ = hooks.set(site(), &value).unwrap())),
        hooks(&|hooks| _ = hooks.add(wordy(site()))).save("hooks.toml").unwrap_err(),
        model.run(&batch).unembed(many()).execute().unwrap_err(),
        model.run(&batch).stop_after(Site::z(0)).unembed(many()).execute().unwrap_err(),
        model
            .run(&batch)
            .capture([Capture::new(Site::z(0)).positions(many())])
            .execute()
            .unwrap_err(),
        kept.activations.get(Site::z(0), 0).unwrap_err(),
        kept.logits.at(0, usize::MAX).unwrap_err(),
        over(vec![Axis::new(long(), [""; 0])], 1.0).err().unwrap(),
        over(vec![Axis::counting("a", 2); 10_000], 1.0).err().unwrap(),
        measured(&[&twice, &twice]),
        measured(&[&NextTokenLoss.named(long())]),
        plan_of_two().measure(&[&Loss::of_each([1]).named(long())]).unwrap_err(),
        plan().measure(&[&Loss::of(1).named(long())]).unwrap().values(&(long() + "?")).unwrap_err(),
        plan().measure(&[]).unwrap().change_l2(&[0; 10_000], 0).unwrap_err(),
    ];
    let labelled = over(vec![Axis::new(long(), [long()])], 1.0).unwrap();
    errors.push(Sweep::new(&model, &batch).plan(&labelled).err().unwrap());
    let several = Sweep::new(&model, &batch).score(Positions::all()).plan(&factors).unwrap();
    errors.push(several.measure(&[&Loss::of(1).named(long())]).unwrap_err());
    errors.push(Set::new(&Tensor::new()).unwrap_err());
    errors
}

#[test]
fn errors_stay_one_short_line_whatever_they_are_about() {
    let begun = Instant::now();
    for error in errors() {
        let said = chain(&error);
        let shown: String = said.chars().take(600).collect();
        assert!(said.len() < 600, "{} bytes: {shown}", said.len());
        assert!(!said.contains(char::is_control), "{shown:?}");
    }
    assert!(begun.elapsed() < Duration::from_secs(20), "{:?}", begun.elapsed());
}
