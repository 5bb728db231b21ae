//! The pages of `docs/`, which are read in the repository and in the guide.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use base64::prelude::{BASE64_STANDARD, Engine};

const GUIDE: &str = include_str!("../../src/guide.rs");

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// The guide's pages: module, file.
fn pages() -> Vec<(&'static str, PathBuf)> {
    GUIDE
        .lines()
        .filter_map(|line| line.strip_prefix("page!(")?.strip_suffix("\");")?.split_once(", \"../"))
        .map(|(module, file)| (module, root().join(file)))
        .collect()
}

/// A page's lines outside its programs.
fn prose(page: &Path) -> Vec<String> {
    let text = std::fs::read_to_string(page).unwrap();
    let blocks = text.split("```").step_by(2);
    blocks.flat_map(str::lines).map(str::to_owned).collect()
}

/// Where the links of a line lead that are written out in it: `[text](target)`.
fn written_out(line: &str) -> impl Iterator<Item = &str> {
    line.split("](").skip(1).filter_map(|rest| rest.split(')').next())
}

fn is_relative(target: &str) -> bool {
    !target.contains("://")
}

/// Whether there is a file of that name beside `page`, and in it the heading that is asked for.
fn leads_somewhere(page: &Path, target: &str) -> bool {
    let (file, heading) = target.split_once('#').unwrap_or((target, ""));
    let file = page.parent().unwrap().join(file);
    let slug = |line: &str| {
        let title = line.trim_start_matches(['#', ' ']).to_lowercase();
        title.replace(' ', "-").replace(|c: char| !c.is_alphanumeric() && c != '-', "")
    };
    let has = |line: &String| line.starts_with('#') && slug(line) == heading;
    file.is_file() && (heading.is_empty() || prose(&file).iter().any(has))
}

#[test]
fn every_page_of_the_docs_is_in_the_guide() {
    let docs = std::fs::read_dir(root().join("docs")).unwrap().map(|entry| entry.unwrap().path());
    let written: BTreeSet<_> =
        docs.filter(|path| path.extension() == Some("md".as_ref())).collect();
    let shown = pages().into_iter().map(|(module, file)| {
        assert!(GUIDE.contains(&format!("[{module}]: self::{module}\n")), "no link to {module}");
        file
    });
    let card = root().join("assets/demo-model/TRAINING.md");
    assert_eq!(shown.collect::<BTreeSet<_>>(), written.into_iter().chain([card]).collect());
}

#[test]
fn a_link_between_pages_leads_to_the_same_page_in_the_repository_and_in_the_guide() {
    let pages = pages();
    for (_, page) in &pages {
        for line in prose(page) {
            let only_here: Vec<_> = written_out(&line).filter(|to| is_relative(to)).collect();
            assert!(only_here.is_empty(), "{page:?}: {only_here:?} must be [text][label]");
            let Some((label, target)) = line.strip_prefix('[').and_then(|x| x.split_once("]: "))
            else {
                continue;
            };
            assert!(!is_relative(target) || leads_somewhere(page, target), "{page:?}: {target}");
            let (file, heading) = target.split_once('#').unwrap_or((target, ""));
            let file = page.parent().unwrap().join(file).canonicalize().unwrap();
            let same = |(_, page): &&(&str, PathBuf)| page.canonicalize().unwrap() == file;
            let expected = match pages.iter().find(same) {
                Some((module, _)) if heading.is_empty() => {
                    format!("/// [{label}]: crate::guide::{module}\n")
                }
                Some((module, _)) => format!("/// [{label}]: crate::guide::{module}#{heading}\n"),
                None => {
                    assert_eq!(target, format!("images/{label}"));
                    format!("#[doc = picture!(\"{label}\")]\n")
                }
            };
            assert!(GUIDE.contains(&expected), "{page:?}: the guide lacks {expected}");
        }
    }
}

#[test]
fn the_guide_shows_the_pictures_that_lie_in_the_docs() {
    let pictures = GUIDE.lines().filter_map(|line| {
        line.trim_start().strip_prefix("#[doc = picture!(\"")?.strip_suffix("\")]")
    });
    let mut seen = 0;
    for name in pictures {
        let picture = root().join("docs/images").join(name);
        let shown = std::fs::read_to_string(format!("{}.base64", picture.display())).unwrap();
        assert!(
            shown == BASE64_STANDARD.encode(std::fs::read(&picture).unwrap()),
            "make it anew: base64 -w0 docs/images/{name} >docs/images/{name}.base64"
        );
        seen += 1;
    }
    assert!(seen > 0);
}

#[test]
fn the_relative_links_of_the_front_pages_lead_somewhere() {
    for page in ["README.md", "CONTRIBUTING.md", "CHANGELOG.md", "SECURITY.md"] {
        let page = root().join(page);
        for line in prose(&page) {
            for target in written_out(&line).filter(|target| is_relative(target)) {
                assert!(leads_somewhere(&page, target), "{page:?}: {target}");
            }
        }
    }
}
