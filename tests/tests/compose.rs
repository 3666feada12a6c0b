//! The compose files, the image that they build, what our programs read from their environment, and what READMEs tell
//! people to type. Each check is one of `tests::files`, where it is also shown to be able to fail.

use std::collections::BTreeSet;
use std::process::ExitCode;
use std::sync::Mutex;

use libtest_mimic::{Arguments, Trial};
use serde_json::Value;
use tests::files::compose::Compose;
use tests::files::{
    Complaints, addresses, below, case, image, or_complain, prose, root, schema, stack, text, variables,
};
use tests::{mirante, peers};

const WHOLE: &str = "docker-compose.yaml";
const GENERATORS: &str = "docker-compose.generators.yaml";

/// Programs that the tests of real components start, and the services that they are.
const TESTED: &[(&str, &str)] = &[
    ("prometheus", "prometheus"),
    ("promtool", "prometheus"),
    ("alertmanager", "alertmanager"),
    ("amtool", "alertmanager"),
    ("otelcol", "otel-collector"),
    ("telemetrygen", "telemetrygen-traces"),
    ("pyrra", "pyrra-api"),
];

fn main() -> ExitCode {
    let mut trials = schemas();
    trials.extend(promises());
    trials.extend(environment());
    trials.extend(images());
    trials.extend(readmes());
    libtest_mimic::run(&Arguments::from_args(), trials).exit_code()
}

fn files() -> Result<[String; 2], String> {
    Ok([text(WHOLE)?, text(GENERATORS)?])
}

/// Both files, merged.
fn merged() -> Result<Compose, String> {
    let [whole, generators] = files()?;
    Compose::read(&[&whole, &generators])
}

fn exists(path: &str) -> bool {
    root().join(path).exists()
}

/// A check of the merged files.
fn on_merged(name: &str, check: impl FnOnce(&Compose) -> Complaints + Send + 'static) -> Trial {
    case(name, || or_complain(merged().map(|compose| check(&compose))))
}

/// The specification's JSON Schema, with upstream's other data.
fn schemas() -> Vec<Trial> {
    let path = testkit::conformance_dir().map(|dir| dir.join("compose/compose-spec.json"));
    let Some(path) = path.filter(|path| path.is_file()) else {
        let name = "schema: skipped, MIRANTE_CONFORMANCE_DIR has no compose/compose-spec.json";
        return vec![Trial::test(name, || Ok(())).with_ignored_flag(true)];
    };
    let parts: [(&str, &[&str]); 3] =
        [(WHOLE, &[WHOLE]), (GENERATORS, &[GENERATORS]), ("both merged", &[WHOLE, GENERATORS])];
    let trials = parts.into_iter().map(|(name, parts)| {
        let path = path.clone();
        case(format!("schema: {name}"), move || {
            let found = || -> Result<Complaints, String> {
                let schema = std::fs::read_to_string(&path).map_err(|error| error.to_string())?;
                let schema: Value = serde_json::from_str(&schema).map_err(|error| error.to_string())?;
                let texts = parts.iter().map(|part| text(part)).collect::<Result<Vec<_>, _>>()?;
                let texts: Vec<&str> = texts.iter().map(String::as_str).collect();
                Ok(schema::violations(&schema, &Compose::read(&texts)?.document))
            };
            or_complain(found())
        })
    });
    trials.collect()
}

fn promises() -> Vec<Trial> {
    vec![
        case("without the generators every service waits for one that is there", || {
            or_complain(
                text(WHOLE)
                    .and_then(|whole| Compose::read(&[&whole]))
                    .map(|compose| stack::dependencies(&compose)),
            )
        }),
        on_merged("images name one release each", stack::pins),
        on_merged("the real components are tested in the versions of the images", |compose| {
            or_complain(
                text("tests/peers/versions").map(|versions| stack::pins_match(compose, &versions, TESTED)),
            )
        }),
        case("ports are published once, on MIRANTE_BIND", || {
            or_complain(files().and_then(|[whole, generators]| stack::ports(&[&whole, &generators])))
        }),
        on_merged("what is mounted is there", |compose| stack::mounts(compose, exists)),
        on_merged("what is waited for can come true", stack::dependencies),
        on_merged("health is asked for, or a comment says why not", |compose| {
            or_complain(files().map(|[whole, generators]| stack::health(compose, &[&whole, &generators])))
        }),
        on_merged("no more rights than needed, and an end to memory and logs", stack::hardening),
        on_merged("no container only sleeps or changes owners", stack::no_helpers),
        on_merged("every address is a service and a port that it listens on", addresses::of_compose),
        on_merged("the table of ports is that of the files", addresses::listening),
        case("addresses in comments", || {
            or_complain(files().and_then(|files| {
                let compose = merged()?;
                let comments = |file: &String| {
                    let comments =
                        file.lines().filter_map(|line| line.split_once('#').map(|(_, comment)| comment));
                    comments.collect::<Vec<_>>().join("\n")
                };
                let comments = files.iter().map(comments).collect::<Vec<_>>().join("\n");
                Ok(prose::ports(&comments, &compose, &[]))
            }))
        }),
    ]
}

/// What the crate `telemetry` asks its environment for, recorded while it reads settings that turn everything on.
fn read_by_telemetry() -> BTreeSet<String> {
    let asked = Mutex::new(BTreeSet::new());
    for protocol in ["grpc", "http/protobuf"] {
        let lookup = |name: &str| {
            if let Ok(mut asked) = asked.lock() {
                asked.insert(name.to_owned());
            }
            let value = match name {
                "OTEL_EXPORTER_OTLP_PROTOCOL" => protocol,
                "OTEL_LOGS_EXPORTER" => "otlp,loki,console",
                "OTEL_TRACES_SAMPLER" => "parentbased_traceidratio",
                _ => return None,
            };
            Some(value.to_owned())
        };
        let read = telemetry::Settings::from_lookup("test", "0", &lookup);
        assert!(read.is_ok(), "{read:?}");
    }
    let mut names = asked.into_inner().unwrap_or_default();
    // The SDK's exporters read these by themselves.
    for signal in ["", "TRACES_", "METRICS_", "LOGS_"] {
        names.insert(format!("OTEL_EXPORTER_OTLP_{signal}HEADERS"));
        for name in ["ENDPOINT", "PROTOCOL", "TIMEOUT", "COMPRESSION"] {
            names.insert(format!("OTEL_EXPORTER_OTLP_{signal}{name}"));
        }
    }
    names
}

fn read_by(service: &str) -> Result<BTreeSet<String>, String> {
    let mut names = read_by_telemetry();
    names.extend(variables::of_flags("services/demo/src")?);
    names.extend(variables::of_flags(&format!("services/{service}/src"))?);
    Ok(names)
}

fn environment() -> Vec<Trial> {
    let documented = |name: &'static str, read: fn() -> Result<BTreeSet<String>, String>| {
        case(format!("what {name} reads is documented"), move || {
            or_complain(read().and_then(|read| {
                let texts = [text("README.md")?, text("services/README.md")?];
                Ok(variables::documented(&read, &[&texts[0], &texts[1]]))
            }))
        })
    };
    let mut trials = vec![
        documented("users", || read_by("users")),
        documented("albums", || read_by("albums")),
        documented("mirante", || variables::of_flags("crates/mirante/src")),
    ];
    for (service, program) in [("users", "users"), ("albums", "albums"), ("albums-ebpf", "albums")] {
        let name = format!("what is set for {service} is what it reads");
        trials.push(on_merged(&name, move |compose| {
            or_complain(read_by(program).map(|read| variables::set_in(compose, service, &read)))
        }));
    }
    trials
}

/// The workspace's manifests, and whatever sources include from elsewhere.
fn needed_by_the_build() -> Result<(Vec<String>, Vec<String>), String> {
    let metadata = cargo_metadata::MetadataCommand::new()
        .manifest_path(root().join("Cargo.toml"))
        .no_deps()
        .exec()
        .map_err(|error| error.to_string())?;
    let mut files = vec!["Cargo.toml".to_owned(), "Cargo.lock".to_owned()];
    let mut packages = Vec::new();
    for package in &metadata.packages {
        packages.push(package.name.to_string());
        let manifest = package.manifest_path.strip_prefix(root()).map_err(|error| error.to_string())?;
        files.push(manifest.to_string());
    }
    for folder in ["crates", "services"] {
        for source in below(folder, &["rs"]) {
            let folder = source.rsplit_once('/').map_or("", |(folder, _)| folder).to_owned();
            for included in image::included_by(&text(&source)?) {
                let path = root().join(&folder).join(&included);
                // What is not there is in a comment, or made by the build.
                let Ok(path) = path.canonicalize() else { continue };
                if let Ok(path) = path.strip_prefix(root()) {
                    files.push(path.to_string_lossy().into_owned());
                }
            }
        }
    }
    Ok((files, packages))
}

fn images() -> Vec<Trial> {
    const DOCKERFILE: &str = "infra/docker/Dockerfile";
    let on_file =
        |name: &str, check: fn(&image::Dockerfile, &image::Ignore) -> Result<Complaints, String>| {
            case(format!("Dockerfile: {name}"), move || {
                or_complain((|| {
                    let file = image::Dockerfile::read(&text(DOCKERFILE)?)?;
                    let ignore = image::Ignore::read(&text(".dockerignore")?)?;
                    check(&file, &ignore)
                })())
            })
        };
    vec![
        on_file("bases name one release", |file, _| {
            let manifest = text("Cargo.toml")?;
            let version = manifest.lines().find_map(|line| line.strip_prefix("rust-version = "));
            Ok(image::bases(file, version.ok_or("no rust-version")?.trim_matches('"')))
        }),
        on_file("what is copied is there", |file, ignore| Ok(image::copies(file, ignore, exists))),
        on_file("every member of the workspace and every included file is copied", |file, ignore| {
            let (files, _) = needed_by_the_build()?;
            Ok(image::covers(file, ignore, &files))
        }),
        on_file("what comes out is what is started", |file, _| {
            let (_, packages) = needed_by_the_build()?;
            Ok(image::results(file, &merged()?, &packages))
        }),
    ]
}

/// Every text for people, wherever it is.
fn texts_for_people() -> Vec<String> {
    let mut paths = vec!["README.md".to_owned()];
    for folder in ["docs", "infra", "dashboards", "services", "slo", "crates", "tests"] {
        paths.extend(below(folder, &["md"]));
    }
    paths.retain(|path| !path.contains("/target/"));
    paths
}

fn readmes() -> Vec<Trial> {
    let mut trials = Vec::new();
    for path in texts_for_people() {
        let name = format!("{path}: commands, ports and links");
        trials.push(on_merged(&name, move |compose| {
            or_complain((|| {
                let words = text(&path)?;
                let embedded: Vec<u16> = mirante::PORTS.iter().map(|(_, port)| *port).collect();
                let mut complaints = prose::named(&words, compose, &text("Makefile")?, exists);
                // A port that a program of a test's own listens on is nobody's here.
                if !path.starts_with("crates/") && !path.starts_with("tests/") {
                    complaints.extend(prose::ports(&words, compose, &embedded));
                }
                let folder = path.rsplit_once('/').map_or("", |(folder, _)| folder).to_owned();
                complaints.extend(prose::links(&words, |link| root().join(&folder).join(link).exists()));
                Ok(complaints)
            })())
        }));
    }
    trials.push(case("infra/README.md names every folder", || {
        or_complain(text("infra/README.md").map(|words| {
            let folders: BTreeSet<String> = below("infra", &[])
                .iter()
                .filter_map(|path| Some(path.strip_prefix("infra/")?.split_once('/')?.0.to_owned()))
                .collect();
            let is_missing = |folder: &&String| {
                !words.contains(&format!("`{folder}/`")) && !words.contains(&format!("`{folder}`"))
            };
            folders
                .iter()
                .filter(is_missing)
                .map(|folder| format!("infra/README.md does not name `{folder}/`"))
                .collect()
        }))
    }));
    trials.push(case("dashboards/README.md names every dashboard", || {
        or_complain(text("dashboards/README.md").map(|words| {
            let is_missing = |path: &&String| !words.contains(path.rsplit('/').next().unwrap_or_default());
            below("dashboards", &["json"])
                .iter()
                .filter(is_missing)
                .map(|path| format!("it does not name {path}"))
                .collect()
        }))
    }));
    trials.push(scripts("k6-script.js"));
    trials.extend(below("infra/generators", &["js"]).iter().map(|path| scripts(path)));
    trials.push(case("k6's thresholds are the objectives", thresholds));
    trials
}

/// A script's syntax, by Node. k6 runs modules, so it is given one.
fn scripts(path: &str) -> Trial {
    let path = path.to_owned();
    peers::trial(&format!("{path}: syntax"), &["node"], peers::packaged, move || {
        let node = peers::packaged("node").ok_or("no node")?;
        let dir = tempfile::tempdir()?;
        let module = dir.path().join("script.mjs");
        std::fs::write(&module, text(&path)?)?;
        let said = std::process::Command::new(node).arg("--check").arg(&module).output()?;
        if said.status.success() {
            Ok(())
        } else {
            Err(String::from_utf8_lossy(&said.stderr).into_owned().into())
        }
    })
}

/// k6 holds its run to what `slo/` promises: the share, and the bound of what counts as fast.
fn thresholds() -> Complaints {
    or_complain((|| {
        let script = text("k6-script.js")?;
        let mut complaints = Vec::new();
        for path in below("slo", &["yaml", "yml"]) {
            let objective = tests::files::yaml(&path)?;
            let target = objective["spec"]["target"].as_str().unwrap_or_default().to_owned();
            let share = target.parse::<f64>().map_err(|error| format!("{path}: {target}: {error}"))? / 100.0;
            if !script.contains(&format!("rate>={share}")) && !script.contains(&format!("rate>{share}")) {
                complaints.push(format!("{path}: no threshold of k6's is rate>={share}"));
            }
            for (_, metric) in tests::files::slo::metrics(&objective) {
                let bound = metric.split("le=\"").nth(1).and_then(|rest| rest.split('"').next());
                let Some(bound) = bound.and_then(|bound| bound.parse::<f64>().ok()) else { continue };
                if !script.contains(&format!("FAST_MS = {}", bound * 1000.0)) {
                    complaints.push(format!("{path}: fast is {bound} s here, and not in k6-script.js"));
                }
            }
        }
        Ok(complaints)
    })())
}
