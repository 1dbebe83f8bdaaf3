//! `flumen plugin new`: a project from the templates of `guest-examples/templates`, which are part of the program.

use std::io::ErrorKind;
use std::path::Path;
use std::process::ExitCode;

use include_dir::{Dir, include_dir};

use crate::cli::PluginNewArgs;
use crate::commands::print;

static TEMPLATES: Dir<'_> = include_dir!("$CARGO_MANIFEST_DIR/../../guest-examples/templates");
static SDKS: Dir<'_> = include_dir!("$CARGO_MANIFEST_DIR/../../guest-examples/sdk");
static WIT: Dir<'_> = include_dir!("$CARGO_MANIFEST_DIR/../../wit");

/// Lists what else a project of one kind needs; the file `EMBED` of a language does that for all its kinds.
const VENDOR: &str = "vendor.txt";

/// What a build leaves behind is no part of a kit.
const LEFT_OUT: [&str; 5] = ["target", "node_modules", "__pycache__", "build", ".git"];

/// Writes the project. Nothing that exists is overwritten.
pub(super) fn run(args: &PluginNewArgs) -> Result<ExitCode, String> {
    let template = template(&args.lang, &args.kind)?;
    let name = args.dir.file_name().and_then(|name| name.to_str()).unwrap_or_default();
    if !name.starts_with(|c: char| c.is_ascii_alphabetic())
        || !name.chars().all(|c| c.is_ascii_alphanumeric() || c == '-' || c == '_')
    {
        return Err(format!(
            "`{name}` cannot be a plugin's name: a letter, then letters, digits, `-` and `_`"
        ));
    }
    make(&args.dir)?;
    let project = Project { dir: &args.dir, name };
    let mut files = project.copy(template, template.path(), Some(&args.kind), Path::new(""))?;
    let lists = [format!("{}/EMBED", args.lang), format!("{}/{}/{VENDOR}", args.lang, args.kind)];
    let lists = lists.iter().filter_map(|list| TEMPLATES.get_file(list)?.contents_utf8());
    for (from, to) in lists.flat_map(str::lines).filter_map(|line| line.trim().split_once(' ')) {
        files += project.embed(from, to.trim())?;
    }
    let dir = args.dir.display();
    Ok(print(&format!(
        "{dir}: a {} in {}, {files} files; {dir}/README.md says how it is built\n",
        args.kind, args.lang
    )))
}

/// The template, or which there are.
fn template(lang: &str, kind: &str) -> Result<&'static Dir<'static>, String> {
    let names = |dir: &Dir<'static>| {
        let mut names: Vec<String> =
            dir.dirs().filter_map(|sub| Some(sub.path().file_name()?.to_str()?.to_owned())).collect();
        names.sort();
        names
    };
    let Some(of_lang) = TEMPLATES.get_dir(lang) else {
        return Err(format!(
            "there is no template for the language `{lang}`; there are: {}",
            names(&TEMPLATES).join(", ")
        ));
    };
    of_lang.get_dir(format!("{lang}/{kind}")).ok_or_else(|| {
        let mut elsewhere = names(&TEMPLATES);
        elsewhere.retain(|other| TEMPLATES.get_dir(format!("{other}/{kind}")).is_some());
        let there = names(of_lang).join(", ");
        match elsewhere.as_slice() {
            [] => format!("there is no kind `{kind}`; {lang} has templates for: {there}"),
            other => format!(
                "there is no template for the kind `{kind}` in {lang}, which has: {there}; there is one in {}",
                other.join(", ")
            ),
        }
    })
}

fn make(dir: &Path) -> Result<(), String> {
    if let Some(parent) = dir.parent() {
        std::fs::create_dir_all(parent)
            .map_err(|error| format!("cannot make {}: {error}", parent.display()))?;
    }
    std::fs::create_dir(dir).map_err(|error| match error.kind() {
        ErrorKind::AlreadyExists => format!("{} exists already: name a folder that does not", dir.display()),
        _ => format!("cannot make {}: {error}", dir.display()),
    })
}

struct Project<'a> {
    dir: &'a Path,
    name: &'a str,
}

impl Project<'_> {
    /// Copies all files below a folder of the program; those of a template (then with its kind) have their
    /// placeholders filled in. Answers how many.
    fn copy(&self, from: &Dir<'_>, root: &Path, kind: Option<&str>, to: &Path) -> Result<usize, String> {
        let mut files = 0;
        for dir in from.dirs() {
            let last = dir.path().file_name().and_then(|last| last.to_str()).unwrap_or_default();
            if kind.is_some() || !LEFT_OUT.contains(&last) {
                files += self.copy(dir, root, kind, to)?;
            }
        }
        for file in from.files() {
            let inside = file.path().strip_prefix(root).unwrap_or(file.path());
            let inside = inside.to_string_lossy();
            if kind.is_some() && inside == VENDOR {
                continue;
            }
            let target = match kind {
                Some(_) => inside.strip_suffix(".tmpl").unwrap_or(&inside).replace("__name__", self.name),
                None => inside.into_owned(),
            };
            let bytes = match (kind, file.contents_utf8()) {
                (Some(kind), Some(text)) => filled(text, self.name).replace("{{kind}}", kind).into_bytes(),
                _ => file.contents().to_vec(),
            };
            write(&self.dir.join(to).join(target), &bytes)?;
            files += 1;
        }
        Ok(files)
    }

    /// Copies a kit, or the WIT package, as it is.
    fn embed(&self, from: &str, to: &str) -> Result<usize, String> {
        let from = from.strip_prefix("guest-examples/").unwrap_or(from);
        let dir = match (from.strip_prefix("sdk/"), from.strip_prefix("wit/")) {
            (Some(kit), _) => SDKS.get_dir(kit),
            (_, Some(version)) => WIT.get_dir(version),
            _ => (from == "wit").then_some(&WIT),
        };
        let dir =
            dir.ok_or_else(|| format!("the template names `{from}`, which is not part of this program"))?;
        self.copy(dir, dir.path(), None, Path::new(to))
    }
}

fn filled(text: &str, name: &str) -> String {
    let snake: String = name.chars().map(|c| if c.is_ascii_alphanumeric() { c } else { '_' }).collect();
    text.replace("{{name_snake}}", &snake).replace("{{name}}", name)
}

fn write(path: &Path, bytes: &[u8]) -> Result<(), String> {
    let failed = |error: std::io::Error| format!("cannot write {}: {error}", path.display());
    if let Some(parent) = path.parent() {
        std::fs::create_dir_all(parent).map_err(failed)?;
    }
    std::fs::write(path, bytes).map_err(failed)?;
    if bytes.starts_with(b"#!") {
        use std::os::unix::fs::PermissionsExt;
        std::fs::set_permissions(path, PermissionsExt::from_mode(0o755)).map_err(failed)?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn placeholders_are_filled_in_and_a_missing_template_names_those_there_are() {
        assert_eq!(filled("{{name}} {{name_snake}} {{other}}", "my-mask"), "my-mask my_mask {{other}}");
        let error = template("cobol", "interceptor").expect_err("no such language");
        assert!(error.contains("there is no template for the language `cobol`"), "{error}");
        let error = template("python", "sink").expect_err("Python has none");
        assert!(error.contains("interceptor, serializer; there is one in rust"), "{error}");
        let error = template("rust", "interceptor-simple").expect_err("it is a world, not a kind");
        assert!(error.contains("there is no kind `interceptor-simple`"), "{error}");
    }

    #[test]
    fn every_template_becomes_a_project_without_placeholders() {
        for lang in TEMPLATES.dirs() {
            for kind in lang.dirs() {
                let dir = tempfile::tempdir().expect("a folder");
                let args = PluginNewArgs {
                    lang: lang.path().to_string_lossy().into_owned(),
                    kind: kind.path().file_name().expect("a name").to_string_lossy().into_owned(),
                    dir: dir.path().join("my-plugin"),
                };
                run(&args).unwrap_or_else(|why| panic!("{args:?}: {why}"));
                assert!(args.dir.join("README.md").exists(), "{args:?}: it does not say how it is built");
                for entry in
                    std::fs::read_dir(&args.dir).expect("made").map(|entry| entry.expect("an entry").path())
                {
                    let text = std::fs::read_to_string(&entry).unwrap_or_default();
                    assert!(!text.contains("{{name"), "{}", entry.display());
                }
                assert!(run(&args).expect_err("it exists").contains("exists already"));
            }
        }
    }
}
