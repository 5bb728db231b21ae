//! A machine without enough memory: an error, and neither a panic nor the end of the process.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::process::Command;

use hooked_gpt2::hook::{At, Capture, Positions, Site};
use hooked_gpt2::intervention::{Interventions, Noise, Shuffle};
use hooked_gpt2::sweep::{KlDivergence, Sweep, Variants};
use hooked_gpt2::tch::Device;
use hooked_gpt2::{Batch, Checkpoint, Gpt2, Precision, Result};

use crate::support::chain;

/// What the C library calls `struct rlimit`.
#[repr(C)]
struct Limit {
    soft: u64,
    hard: u64,
}

unsafe extern "C" {
    fn setrlimit(resource: i32, limit: *const Limit) -> i32;
}

/// Sets how much memory this process may have besides what it has now; all there is for `None`.
fn limit(further: Option<u64>) {
    const ADDRESS_SPACE: i32 = 9;
    let soft = further.map_or(u64::MAX, |further| {
        let status = std::fs::read_to_string("/proc/self/status").unwrap();
        let size = status.lines().find_map(|line| line.strip_prefix("VmSize:")).unwrap();
        let kibibytes: u64 = size.trim().strip_suffix("kB").unwrap().trim().parse().unwrap();
        kibibytes * 1024 + further
    });
    assert_eq!(unsafe { setrlimit(ADDRESS_SPACE, &Limit { soft, hard: u64::MAX }) }, 0);
}

/// What a run does, by its name.
type Attempt<'a> = (&'static str, Box<dyn Fn() -> Result<()> + 'a>);

fn attempts<'a>(model: &'a Gpt2, batch: &'a Batch, hooks: &'a Interventions) -> Vec<Attempt<'a>> {
    let config = model.config();
    vec![
        ("run", Box::new(|| model.run(batch).execute().map(drop))),
        ("check_finite", Box::new(|| model.run(batch).check_finite().execute().map(drop))),
        (
            "captures",
            Box::new(|| {
                let sites = || Site::all(config.n_layers);
                let norms = sites().map(|site| Capture::new(site).norm());
                let moments = sites()
                    .filter(|site| !site.to_string().ends_with("attn_scores"))
                    .map(|site| Capture::new(site).moments());
                let run = model.run(batch).capture(sites()).capture(norms).capture(moments);
                run.execute().map(drop)
            }),
        ),
        ("hooks", Box::new(|| model.run(batch).hooks(hooks).execute().map(drop))),
        (
            "gradients",
            Box::new(|| {
                let run = model.run(batch).hooks(hooks).capture([Site::mlp_post(0)]);
                let differentiated = run.differentiate(|logits| Ok(logits.tensor(0)?.f_max()?));
                differentiated.map(drop)
            }),
        ),
        (
            "effect",
            Box::new(|| {
                let clean = model.run(batch).execute()?;
                model.run(batch).hooks(hooks).execute()?.effect(&clean.logits).map(drop)
            }),
        ),
        (
            "sweep",
            Box::new(|| {
                let variants = Variants::layer_factors(0..config.n_layers, &[0.5], batch)?;
                let sweep = Sweep::new(model, batch).max_bytes(usize::MAX);
                sweep.plan(&variants)?.measure(&[&KlDivergence]).map(drop)
            }),
        ),
        ("generation", Box::new(|| model.generate(batch, 3).hooks(hooks).execute().map(drop))),
    ]
}

/// Everything that a registry may do, at sites on and off the fused path.
fn hooks() -> Interventions {
    let mut hooks = Interventions::new();
    hooks.scale(At::resid_pre(0), 2.0).unwrap();
    hooks.noise(At::mlp_pre(1), Noise::gaussian(0.1, 1).unwrap());
    hooks.shuffle(At::mlp_out(1), Shuffle::channels(1));
    hooks.knock_out(1, [0], Positions::last(), Positions::at(0));
    hooks.scale(At::pattern(0).heads([0]), 0.5).unwrap();
    hooks.scale(At::ln2_scale(0), 0.5).unwrap();
    hooks
}

#[test]
#[ignore = "needs a process of its own, which others start"]
fn in_a_process_of_its_own() {
    let bundled = Checkpoint::bundled().unwrap();
    let (model, _) = Gpt2::load(&bundled, Precision::F32, Device::Cpu).unwrap();
    let sequence = |number: u32| (0..120).map(|at| at * 7 + number).collect::<Vec<_>>();
    let batch = Batch::new((0..4).map(sequence)).unwrap();
    let hooks = hooks();
    for (name, attempt) in attempts(&model, &batch, &hooks) {
        // oneDNN keeps in mind what it once could not make.
        assert!(attempt().is_ok(), "{name}");
        let mut refused = 0;
        for step in 0..24 {
            limit(Some(step << 20));
            let outcome = catch_unwind(AssertUnwindSafe(&attempt));
            limit(None);
            match outcome.unwrap_or_else(|_| panic!("{name} panics at {step}")) {
                Ok(()) => {}
                Err(error) => {
                    let said = chain(&error);
                    assert!(said.contains("too little memory"), "{name}: {said}");
                    refused += 1;
                }
            }
        }
        println!("{name}: {refused} refused");
        assert!(refused > 3, "{name}");
        assert!(attempt().is_ok(), "{name}");
    }
}

#[test]
fn too_little_memory_is_an_error() {
    let own = Command::new(std::env::current_exe().unwrap())
        .args(["--ignored", "--exact", "memory::in_a_process_of_its_own", "--nocapture"])
        .env("OMP_NUM_THREADS", "1")
        // Large tensors in memory of their own, so that what is too little is felt, and a stock for all small things.
        .env("MALLOC_ARENA_MAX", "1")
        .env("MALLOC_MMAP_THRESHOLD_", "98304")
        .env("MALLOC_TOP_PAD_", "4194304")
        .output()
        .unwrap();
    let (out, err) = (String::from_utf8_lossy(&own.stdout), String::from_utf8_lossy(&own.stderr));
    assert!(own.status.success(), "{:?}\n{out}\n{err}", own.status);
    eprintln!("{out}");
}
