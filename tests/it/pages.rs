//! Reports as pages, in a browser where one is installed.

use std::path::Path;
use std::process::Command;

use hooked_gpt2::experiment::Verdict;
use hooked_gpt2::report::{AttentionView, Column, DataTable, PredictionsView, Report};
use serde_json::Value;

fn report() -> Report {
    let mut report = Report::new("page", "A page", "Does it do what it says?");
    report.fact("model", "bundled").fact("prompt", "word ".repeat(60));
    let columns = (0..20).map(|column| Column::number(format!("head {column}"), 3));
    let columns = [Column::text("token"), Column::significant("p", 2)].into_iter().chain(columns);
    let mut table = DataTable::new("heads", columns);
    for (token, p) in [("b", Some(2e-5)), ("c", None), ("a", Some(0.5)), ("d", Some(0.011))] {
        let heads = (0..20).map(|head| f64::from(head).into());
        table.row([token.into(), p.into()].into_iter().chain(heads)).unwrap();
    }
    report.table("A wide table", table);
    report.figure(
        "wide",
        "A wide figure",
        r##"<svg width="900" height="60" xmlns="http://www.w3.org/2000/svg"><rect width="900" height="60" fill="#fff"/><text x="850" y="30">end</text></svg>"##,
    );
    let view = AttentionView {
        tokens: ["The", "·keys", "·are"].map(str::to_owned).to_vec(),
        heads: vec![
            ("0.0".to_owned(), vec![vec![1.0], vec![0.4, 0.6], vec![0.1, 0.2, 0.7]]),
            ("0.1".to_owned(), vec![vec![1.0], vec![1.0, 0.0], vec![0.8, 0.15, 0.05]]),
        ],
    };
    report.attention("Attention", view);
    let cells = |word: &str| vec![vec![(word.to_owned(), 0.5), ("other".to_owned(), 0.25)]; 3];
    let view = PredictionsView {
        tokens: ["The", "·keys", "·are"].map(str::to_owned).to_vec(),
        rows: vec![
            ("resid_pre 0".to_owned(), cells("x")),
            ("resid_post 11".to_owned(), cells("y")),
        ],
    };
    report.predictions("Predictions", view);
    report.claim("It does", Verdict::Holds, "All of the above.");
    report
}

/// What a reader does, and what there is to see then, as JSON in the title.
const READER: &str = r#"
const seen = { errors: window.errors };
const column = (number) => [...document.querySelectorAll("table tbody")[0].rows].map((row) => row.cells[number].textContent).join();
const headings = document.querySelectorAll("table")[0].querySelectorAll("thead button");
headings[1].click(); seen.upward = column(0);
headings[1].click(); seen.downward = column(0);
headings[0].click(); seen.words = column(0);
seen.sorted = headings[0].closest("th").getAttribute("aria-sort");
const share = (token) => document.querySelectorAll(".token")[token].style.getPropertyValue("--share");
seen.at_first = [share(0), share(1), share(2)].join();
document.querySelectorAll(".token")[1].dispatchEvent(new Event("pointerenter")); seen.pointed = [share(0), share(1), share(2)].join();
document.querySelectorAll(".heads button")[0].dispatchEvent(new KeyboardEvent("keydown", { key: "ArrowRight" }));
seen.other_head = [share(0), share(1), share(2)].join();
seen.told = document.querySelector(".told").textContent;
seen.width = innerWidth;
seen.page = document.documentElement.scrollWidth;
seen.cut = [...document.querySelectorAll("body *")].filter((element) => {
  const style = getComputedStyle(element);
  return element.scrollWidth > element.clientWidth + 1 && style.overflowX === "hidden";
}).length;
document.title = JSON.stringify(seen);
"#;

/// What the reader sees in a window of this width; none where no browser is installed.
fn read(directory: &Path, width: u32) -> Option<Value> {
    let catching = "<script>window.errors = []; addEventListener('error', (event) => errors.push(event.message));</script>";
    let page = report().to_html();
    let page = page.replacen("<head>", &format!("<head>{catching}"), 1);
    let page = page.replace("</body>", &format!("<script>{READER}</script></body>"));
    // In a frame, which is as narrow as it is asked to be: windows have a least width.
    std::fs::write(directory.join("page.html"), page).unwrap();
    let frame = format!(
        r#"<iframe src="page.html" style="width:{width}px;height:900px;border:0" onload="document.title = this.contentDocument.title"></iframe>"#
    );
    std::fs::write(directory.join("frame.html"), frame).unwrap();
    let found =
        ["chromium", "chromium-browser", "google-chrome"].into_iter().find_map(|browser| {
            let mut command = Command::new(browser);
            command.args(["--headless", "--no-sandbox", "--disable-gpu", "--dump-dom"]);
            command.args(["--allow-file-access-from-files", "--virtual-time-budget=5000"]);
            command.arg("--window-size=1500,1000");
            command.arg(format!("--user-data-dir={}", directory.join("profile").display()));
            command.arg(format!("file://{}", directory.join("frame.html").display()));
            command.output().ok()
        })?;
    let dom = String::from_utf8(found.stdout).unwrap();
    let title = dom.split_once("<title>").and_then(|(_, rest)| rest.split_once("</title>"));
    let (title, _) =
        title.unwrap_or_else(|| panic!("{}\n{dom}", String::from_utf8_lossy(&found.stderr)));
    Some(serde_json::from_str(&title.replace("&amp;", "&")).unwrap())
}

#[test]
fn a_page_sorts_answers_to_pointer_and_keys_and_cuts_nothing_on_a_phone_and_on_a_desktop() {
    for width in [390, 1400] {
        let directory = tempfile::tempdir().unwrap();
        let Some(seen) = read(directory.path(), width) else { return };
        assert_eq!(seen["errors"].as_array().unwrap().len(), 0, "{seen}");
        assert_eq!(seen["width"], width);
        // A number without a value comes last, whichever way.
        assert_eq!(seen["upward"], "b,d,a,c");
        assert_eq!(seen["downward"], "a,d,b,c");
        assert_eq!((&seen["words"], &seen["sorted"]), (&"a,b,c,d".into(), &"ascending".into()));
        assert_eq!(seen["at_first"], "10%,20%,70%");
        assert_eq!(seen["pointed"], "40%,60%,0%");
        assert_eq!(seen["other_head"], "100%,0%,0%");
        assert!(seen["told"].as_str().unwrap().contains("Head 0.1 from ·keys"), "{seen}");
        // What is wider than the window scrolls within itself.
        assert!(seen["page"].as_u64().unwrap() <= width.into(), "{seen}");
        assert_eq!(seen["cut"], 0);
    }
}
